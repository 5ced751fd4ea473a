/** Folders of results: filled and never replaced, written whole or not at all, and no other files touched. @module */
import assert from "node:assert/strict";
import { OutputFolder, setGiven } from "../../cli/output.ts";
import { canMount, openDisk } from "./disk.ts";
import { openTempFolder } from "../temp_folder.ts";

const SETTINGS = { command: "trial", options: { seed: 0, lr: 0.1, arm: ["a"] } };

function fill(
  path: string,
  files: Readonly<Record<string, string>>,
  options: Readonly<Record<string, unknown>> = SETTINGS.options,
): Promise<void> {
  return OutputFolder.fill(path, { ...SETTINGS, options }, async (folder) => {
    for (const [name, text] of Object.entries(files)) await folder.writeText(name, text);
  });
}

/** Reads the text of every file below a folder. */
function read(path: string, prefix = ""): Record<string, string> {
  return Object.fromEntries(
    Array.from(Deno.readDirSync(path)).flatMap(({ name, isDirectory }) =>
      isDirectory
        ? Object.entries(read(`${path}/${name}`, `${prefix}${name}/`))
        : [[prefix + name, Deno.readTextFileSync(`${path}/${name}`)]]
    ),
  );
}

function names(path: string): string[] {
  return Object.keys(read(path)).sort();
}

Deno.test("an empty folder that is there is filled, and stays the same one, also through a link", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.mkdir(`${path}/real`);
  await Deno.symlink("real", `${path}/link`);
  const { ino } = await Deno.stat(`${path}/real`);
  for (const name of ["link", "real", "real/", "real/."]) {
    await fill(`${path}/${name}`, { "b.txt": name, "a.txt": "" });
    assert.equal((await Deno.stat(`${path}/real`)).ino, ino);
    assert.equal(read(`${path}/real`)["b.txt"], name);
  }
  assert.ok((await Deno.lstat(`${path}/link`)).isSymlink);
  assert.deepEqual(names(`${path}/real`), ["a.txt", "b.txt", "run.json"]);
  assert.deepEqual(Array.from(Deno.readDirSync(path), ({ name }) => name).sort(), ["link", "real"]);
  const { files, ...others } = JSON.parse(read(`${path}/real`)["run.json"]);
  assert.deepEqual(files, ["a.txt", "b.txt"]);
  assert.deepEqual(others, { ...SETTINGS, inputs: {} });
});

Deno.test({
  name: "the root of a file system is filled, whatever it holds of its own",
  ignore: !canMount,
  async fn() {
    await using disk = (await openDisk("1m"))!;
    await Deno.mkdir(`${disk.path}/lost+found`);
    await fill(disk.path, { a: "1" });
    await fill(disk.path, { a: "2" });
    assert.deepEqual(names(disk.path), ["a", "run.json"]);
    assert.equal(read(disk.path).a, "2");
  },
});

Deno.test("a second run replaces what the first one wrote, and keeps what a user put there", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  await fill(out, { a: "1", b: "1" });
  await Deno.writeTextFile(`${out}/notes.md`, "mine");
  await fill(out, { a: "2", c: "2" });
  const { "run.json": manifest, ...files } = read(out);
  assert.deepEqual(files, { a: "2", c: "2", "notes.md": "mine" });
  assert.deepEqual(JSON.parse(manifest).files, ["a", "c"]);
});

Deno.test("a file of the user's is never written over: the results wait until it is moved away", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  await fill(out, { a: "1" });
  await Deno.writeTextFile(`${out}/b`, "mine");
  await assert.rejects(fill(out, { a: "2", b: "2" }), {
    name: "FileError",
    path: `${out}/b`,
    message: /^Cannot write .*\/b: got a file that no run of lpntk wrote, need that name; move it/,
  });
  const { a, b, "run.json": manifest } = read(out);
  assert.deepEqual([a, b, JSON.parse(manifest).files], ["1", "mine", ["a"]]);
  // no lock is left, either
  await assert.rejects(fill(out, {}), { message: /b: got a file that no run/ });
  await Deno.rename(`${out}/b`, `${out}/mine`);
  await OutputFolder.fill(out, SETTINGS, () => {
    const { a, b } = read(out);
    assert.deepEqual([a, b], ["2", "2"]);
    return Promise.reject(new Error("stop"));
  }).catch(({ message }) => assert.equal(message, "stop"));
  assert.deepEqual(names(out), ["a", "b", "mine", "run.json"]);
});

Deno.test("a move that a process ended in is gone on with, wherever that was", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const stop = Promise.reject(new Error("stop"));
  stop.catch(() => {});
  for (let steps = 0, done = false; !done; steps++) {
    const out = `${path}/${steps}`;
    await fill(out, { a: "1", b: "1" });
    const [rename, remove] = [Deno.renameSync, Deno.removeSync];
    let left = steps;
    let armed = false;
    const count = <T extends unknown[]>(real: (...args: T) => void) => (...args: T) => {
      if (armed && left-- <= 0) throw new Error("killed");
      real(...args);
    };
    [Deno.renameSync, Deno.removeSync] = [count(rename), count(remove)];
    try {
      await OutputFolder.fill(out, SETTINGS, async (own) => {
        await own.writeText("a", "2");
        await own.writeText("c", "2");
        armed = true;
      });
      done = left > 0;
    } catch {
      // leaves what was not removed yet, like a process that is killed
    } finally {
      [Deno.renameSync, Deno.removeSync] = [rename, remove];
    }
    await Deno.writeTextFile(`${out}/.lock`, "");
    await OutputFolder.fill(out, SETTINGS, () => stop).catch(() => {});
    const { a, b, c, "run.json": manifest, ...others } = read(out);
    assert.deepEqual([a, b, c, JSON.parse(manifest).files], ["2", undefined, "2", ["a", "c"]]);
    assert.deepEqual(others, {}, `after ${steps}`);
  }
});

Deno.test("what a killed process left is cleared, and what fails leaves nothing", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const out = `${path}/new/out`;
  const fail = (at: string) =>
    OutputFolder.fill(at, SETTINGS, async (own) => {
      await own.writeText("a", "1");
      assert.deepEqual(names(at).filter((name) => !name.startsWith(".")), []);
      throw new Error("stop");
    });
  await assert.rejects(fail(out), { message: "stop" });
  assert.deepEqual(Array.from(Deno.readDirSync(path)), []);
  await Deno.mkdir(`${out}/.partial`, { recursive: true });
  await Deno.writeTextFile(`${out}/.partial/.lpntk`, "");
  await Deno.writeTextFile(`${out}/.partial/z`, "half");
  await Deno.writeTextFile(`${out}/.lock`, "");
  await assert.rejects(fail(out), { message: "stop" });
  // the folder existed before
  assert.deepEqual(Array.from(Deno.readDirSync(out)), []);
});

Deno.test("what a user keeps under a name of ours is refused before the work, and stays", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  const refuse = async (out: string, mine: string, before?: () => Promise<void>) => {
    await before?.();
    const place = `${path}/${out}/${mine}`;
    await Deno.mkdir(place.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(place, "mine");
    let worked = false;
    await assert.rejects(
      OutputFolder.fill(`${path}/${out}`, SETTINGS, () => {
        worked = true;
        return Promise.resolve();
      }),
      { name: "FileError", message: /which no process of lpntk wrote|that no run of lpntk wrote/ },
    );
    assert.deepEqual([worked, await Deno.readTextFile(place)], [false, "mine"], mine);
  };
  await refuse("a", ".lock");
  await refuse("b", ".partial/notes");
  await refuse("c", ".partial");
  await refuse("d", ".resume/notes");
  await refuse("e", ".resume/notes", () => fill(`${path}/e`, { a: "1" }));
});

Deno.test("a folder at a result's place is refused before earlier results are touched", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  await fill(out, { a: "1", b: "1" });
  await Deno.remove(`${out}/b`);
  await Deno.mkdir(`${out}/b`);
  await assert.rejects(fill(out, { a: "2", b: "2" }), {
    name: "FileError",
    message: /\/b: got a folder where a file has to be/,
  });
  const { a, "run.json": manifest } = read(out);
  assert.deepEqual([a, JSON.parse(manifest).files], ["1", ["a", "b"]]);
  await Deno.remove(`${out}/b`);
  await fill(out, { a: "3", b: "3" });
  assert.deepEqual([read(out).a, read(out).b], ["3", "3"]);
});

Deno.test("a run.json without inputs, or with none that are some, is of an older version", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  await fill(out, { a: "1" });
  const manifest = JSON.parse(read(out)["run.json"]);
  for (const inputs of [undefined, null, "x"]) {
    await Deno.writeTextFile(`${out}/run.json`, JSON.stringify({ ...manifest, inputs }));
    await assert.rejects(fill(out, { a: "2" }), { message: /got results of an older version/ });
  }
  assert.equal(read(out).a, "1");
});

Deno.test("two at once: the second is refused before its work", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  await OutputFolder.fill(out, SETTINGS, async () => {
    await assert.rejects(fill(out, { a: "" }), { message: /got process \d+ on .* at work on it/ });
  });
  assert.deepEqual(names(out), ["run.json"]);
});

Deno.test("a holder whose folder was taken over writes nothing, and removes nothing", async () => {
  await using folder = await openTempFolder();
  const job = async (own: OutputFolder, out: string, write: boolean) => {
    await own.writeText("a", "1");
    await Deno.writeTextFile(`${out}/.lock`, `{"host":"elsewhere","process":7,"started":"now"}`);
    if (write) await own.writeText("b", "1");
  };
  for (const write of [true, false]) {
    const out = `${folder.path}/${write}`;
    await assert.rejects(OutputFolder.fill(out, SETTINGS, (own) => job(own, out, write)), {
      message: /^Cannot go on with .*: got process 7 on elsewhere, begun now, at work on it/,
    });
    assert.deepEqual(names(out), [".lock", ".partial/.lpntk", ".partial/a"]);
  }
});

Deno.test("results of other settings are refused by all that differ, three at most, the given ones first", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  const options = { seed: 0, lr: 0.1, batch: 8, epochs: 3, first: undefined };
  await fill(out, { a: "1" }, options);
  const before = read(out);
  const refuse = async (change: object, difference: string) => {
    await assert.rejects(fill(out, {}, { ...options, ...change }), {
      name: "FileError",
      path: out,
      message:
        `Cannot go on with ${out}: got results of other settings (${difference}), need the ` +
        "same; choose another folder or remove it",
    });
    assert.deepEqual(read(out), before);
  };
  await refuse({ seed: 1 }, "seed 0, now 1");
  await refuse({ seed: 1, first: true }, "seed 0, now 1; first unset, now true");
  setGiven(["epochs", "first"]);
  await refuse(
    { seed: 1, lr: 1, epochs: 4, first: true },
    "epochs 3, now 4; first unset, now true; seed 0, now 1; and 1 more",
  );
  setGiven([]);
  const { files: _, ...old } = JSON.parse(before["run.json"]);
  await Deno.writeTextFile(`${out}/run.json`, JSON.stringify(old));
  await assert.rejects(fill(out, {}, options), {
    message: /got results of an older version, whose/,
  });
  assert.equal(read(out).a, "1");
  for (const files of [["../a"], [".."], "a", ["b/c"]]) {
    await Deno.writeTextFile(`${out}/run.json`, JSON.stringify({ ...old, files }));
    await assert.rejects(fill(out, {}, options), { message: /got results of an older version/ });
  }
});

Deno.test("results of other contents under the same names are refused by what differs", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  const run = (inputs: Record<string, string | undefined>) =>
    OutputFolder.fill(out, SETTINGS, async (own) => {
      own.declare({ network: "mlp" });
      own.declare(inputs);
      await own.writeText("a", JSON.stringify(inputs));
    });
  await run({ weights: "ab", labels: undefined });
  assert.deepEqual(JSON.parse(read(out)["run.json"]).inputs, { network: "mlp", weights: "ab" });
  const before = read(out);
  await assert.rejects(run({ weights: "cd" }), {
    name: "FileError",
    message:
      `Cannot go on with ${out}: got results computed from other contents of weights, need ` +
      "the same; choose another folder or remove it",
  });
  assert.deepEqual(read(out), before);
  await run({ weights: "ab" });
});

Deno.test("a folder with other files is refused, and left as it is", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.mkdir(`${path}/.partial`);
  await Deno.writeTextFile(`${path}/.partial/x`, "mine");
  await Deno.writeTextFile(`${path}/thesis.tex`, "years of work");
  const before = read(path);
  await assert.rejects(fill(path, { a: "" }), {
    name: "FileError",
    message:
      `Cannot write ${path}: got a folder with other files (thesis.tex) and no run.json, need an ` +
      "empty or a new one",
  });
  assert.deepEqual(read(path), before);
});
