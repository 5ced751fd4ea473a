/** Leases: one process at a time may write a path, whatever became of those before it. @module */
import assert from "node:assert/strict";
import { Lease } from "../../../engine/files/lease.ts";
import { openTempFolder } from "../../temp_folder.ts";

function names(path: string): string[] {
  return Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
}

/** Leaves a lock file of a process that has ended. */
async function leave(path: string, holder: object | string, ageMs = 0): Promise<void> {
  const text = typeof holder === "string" ? holder : JSON.stringify(holder);
  await Deno.writeTextFile(path, text);
  const then = (Date.now() - ageMs) / 1000;
  await Deno.utime(path, then, then);
}

const HOLDER = { host: Deno.hostname(), process: 7, started: "2026-01-01T00:00:00Z", id: "a" };

Deno.test("a place is held once, by a process that the refusal names, and free when it is released", async () => {
  await using folder = await openTempFolder();
  const [out, lock] = [`${folder.path}/a/b`, `${folder.path}/a/b/.lock`];
  const lease = await Lease.take(lock, out);
  const { host, process, started } = JSON.parse(await Deno.readTextFile(lock));
  assert.deepEqual([host, process], [Deno.hostname(), Deno.pid]);
  assert.ok(Math.abs(Date.now() - Date.parse(started)) < 60_000);
  await assert.rejects(Lease.take(lock, out), {
    name: "FileError",
    path: out,
    message: `Cannot write ${out}: got process ${Deno.pid} on ${host}, begun ${started}, at work ` +
      "on it, need it free; wait for that process to end",
  });
  lease.check();
  lease.release();
  lease.release();
  // the folders that were made for it are removed, too
  assert.deepEqual(names(folder.path), []);
  using _again = await Lease.take(lock, out);
});

Deno.test("what is in a folder that was made for a lease stays, and so does one that was there", async () => {
  await using folder = await openTempFolder();
  (await Lease.take(`${folder.path}/.lock`, folder.path)).release();
  assert.deepEqual(names(folder.path), []);
  const lease = await Lease.take(`${folder.path}/a/.lock`, `${folder.path}/a`);
  await Deno.writeTextFile(`${folder.path}/a/mine`, "");
  lease.release();
  assert.deepEqual(names(`${folder.path}/a`), ["mine"]);
});

Deno.test("the lease of a dead process is taken over at once on its host, and on another when it is stale", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const lock = `${path}/.lock`;
  const { host: _, ...nowhere } = HOLDER;
  const dead = [
    [HOLDER, 0],
    [nowhere, 0],
    ["", 0],
    ["{", 0],
    [{ ...HOLDER, host: "elsewhere" }, 121_000],
  ] as const;
  for (const [holder, ageMs] of dead) {
    await leave(lock, holder, ageMs);
    using lease = await Lease.take(lock, path);
    assert.ok(lease.isOurs(), JSON.stringify(holder));
  }
  await leave(lock, { ...HOLDER, host: "elsewhere" }, 60_000);
  const before = await Deno.readTextFile(lock);
  await assert.rejects(Lease.take(lock, path), {
    name: "FileError",
    // a file system's clock may be a few milliseconds behind
    message: /got process 7 on elsewhere, .* until (59|60|61) s from now; .*\.lock says who it is$/,
  });
  assert.equal(await Deno.readTextFile(lock), before);
});

Deno.test("a holder whose lease was taken over stops before it writes, and removes nothing", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const lock = `${path}/new/.lock`;
  const lease = await Lease.take(lock, `${path}/new`);
  await leave(lock, { ...HOLDER, host: "elsewhere" });
  assert.throws(() => lease.check(), {
    name: "FileError",
    message:
      /^Cannot go on with .*\/new: got process 7 on elsewhere, begun .*, at work on it, need/,
  });
  lease.release();
  assert.deepEqual(names(`${path}/new`), [".lock"]);
  const other = await Lease.take(`${path}/o/.lock`, `${path}/o`);
  await Deno.remove(`${path}/o/.lock`);
  assert.throws(() => other.check(), { message: /got no .*\/o\/\.lock any more/ });
  other.release();
});

Deno.test("a holder gives signs of life, none after a takeover, and no timer keeps its process", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const lock = `${path}/.lock`;
  const real = globalThis.setInterval;
  let beat = () => {};
  let isHeld = true;
  globalThis.setInterval = ((callback: () => void, everyMs: number) => {
    assert.ok(everyMs < 60_000);
    beat = callback;
    const timer = real(callback, everyMs);
    const { unref } = timer;
    timer.unref = () => (isHeld = false, unref.call(timer));
    return timer;
  }) as typeof setInterval;
  try {
    using _lease = await Lease.take(lock, path);
    assert.equal(isHeld, false);
    const text = await Deno.readTextFile(lock);
    const age = () => Date.now() - Number(Deno.statSync(lock).mtime);
    Deno.utimeSync(lock, 1, 1);
    beat();
    assert.ok(age() < 10_000, `${age()}`);
    assert.equal(await Deno.readTextFile(lock), text);
    await leave(lock, { ...HOLDER, host: "elsewhere" }, 30_000);
    beat();
    assert.ok(age() > 20_000, `${age()}`);
  } finally {
    globalThis.setInterval = real;
  }
});

Deno.test("a link to a folder is followed; one to nothing, a circle, a file and a long name are refused in words", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.mkdir(`${path}/real`);
  await Deno.symlink("real", `${path}/link`);
  await Deno.symlink("nowhere", `${path}/dangling`);
  await Deno.symlink("circle", `${path}/circle`);
  await Deno.writeTextFile(`${path}/file`, "mine");
  const before = names(path);
  (await Lease.take(`${path}/link/.lock`, `${path}/link`)).release();
  const long = "n".repeat(256);
  for (
    const [name, says] of [
      ["dangling", /got .*\/dangling, a link to nowhere, where nothing is, need a folder there/],
      ["dangling/a", /got .*\/dangling, a link to nowhere, where nothing is, need a folder there/],
      ["circle", /got links that lead to one another in a circle, need a path/],
      ["file", /got a file where a folder has to be, need a folder there/],
      ["file/a", /got a file where a folder has to be, need a folder there/],
      [`new/${long}`, /got a name that is too long, need a shorter one/],
    ] as const
  ) {
    const out = `${path}/${name}`;
    await assert.rejects(Lease.take(`${out}/.lock`, out), { name: "FileError", message: says });
    assert.deepEqual(names(path), before, name);
  }
});

Deno.test("of processes that race for a place one wins, again and again, and the others remove nothing", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  for (let round = 0; round < 20; round++) {
    const results = await Promise.allSettled(
      Array.from({ length: 4 }, () => Lease.take(`${out}/.lock`, out)),
    );
    const leases = results.flatMap((r) => r.status === "fulfilled" ? [r.value] : []);
    assert.equal(leases.length, 1);
    leases[0].check();
    leases[0].release();
    // the folder stays where one of those that lost had made it
    assert.ok(["", "out"].includes(names(folder.path).join()));
    if (names(folder.path).length > 0) assert.deepEqual(names(out), []);
  }
});

Deno.test("a lock file that its holder removes between our opening and locking it is none", async () => {
  await using folder = await openTempFolder();
  const lock = `${folder.path}/.lock`;
  const real = Deno.open;
  let opened = 0;
  Deno.open = async (...args) => {
    const file = await real(...args);
    if (opened++ === 0) Deno.removeSync(lock);
    return file;
  };
  try {
    using lease = await Lease.take(lock, folder.path);
    lease.check();
    assert.equal(opened, 2);
  } finally {
    Deno.open = real;
  }
});

Deno.test({
  name: "what lies at the place of a lock file and is none is refused, and stays as it is",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await openTempFolder();
    const { path } = folder;
    await Deno.writeTextFile(`${path}/mine`, "mine");
    const pipe = new Deno.Command("mkfifo", { args: [`${path}/pipe`] });
    assert.equal((await pipe.output()).code, 0);
    await Deno.symlink("mine", `${path}/link`);
    await Deno.symlink("nothing", `${path}/dangling`);
    await Deno.symlink("/dev/full", `${path}/device`);
    await Deno.writeTextFile(`${path}/large`, `{"host":${" ".repeat(5000)}`);
    for (const name of ["mine", "pipe", "link", "dangling", "device", "large"]) {
      await assert.rejects(Lease.take(`${path}/${name}`, path), {
        name: "FileError",
        path,
        message:
          `Cannot write ${path}: got ${path}/${name}, which no process of lpntk wrote, need that name; move it away`,
      });
    }
    assert.equal(await Deno.readTextFile(`${path}/mine`), "mine");
    assert.ok(!names(path).includes("nothing"));
  },
});

Deno.test("who may not ask for the machine's name takes over no lease that names one", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await leave(`${path}/.lock`, HOLDER);
  const program = `
    import { Lease } from ${JSON.stringify(import.meta.resolve("../../../engine/files/lease.ts"))};
    await Lease.take("${path}/.lock", "${path}").catch((error) => console.log(error.message));
  `;
  await Deno.writeTextFile(`${path}/program.ts`, program);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--allow-write", `${path}/program.ts`],
  }).output();
  assert.match(new TextDecoder().decode(stdout), /got process 7 on .* until 1\d\d s from now/);
});

Deno.test("a sign of life from a time to come is none", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await leave(`${path}/.lock`, { ...HOLDER, host: "elsewhere" }, -86_400_000);
  (await Lease.take(`${path}/.lock`, path)).release();
});
