/** Disks that are full or read-only, pipes that close, and processes that race for one place. @module */
import assert from "node:assert/strict";
import { mount } from "../cli/disk.ts";
import {
  assertRefused,
  callHere,
  fingerprint,
  finish,
  listFolder,
  prepareLpntk,
  ROOT,
} from "../cli/process.ts";
import { openTempFolder } from "../temp_folder.ts";
import { end, listCalls, mountDisk, start, trainWeights } from "./calls.ts";

const LPNTK = `${Deno.execPath()} run -A --no-check ${ROOT}/cli/main.ts`;

/** Runs a shell; returns its exit code and standard error. */
async function sh(script: string): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command("bash", {
    args: ["-c", script],
    env: { NO_COLOR: "1" },
    stdout: "null",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

const PRUNE = "prune --method random --data digits --train-size 50 --out";

Deno.test("the root of a disk is filled, and one that is read-only or full is refused before the work", async () => {
  await using disk = await mountDisk("64k");
  const call = `${PRUNE} ${disk.path}`.split(" ");
  assert.equal((await callHere(call)).code, 0);
  assert.deepEqual(await listFolder(disk.path), [
    "keep.csv",
    "keep.npy",
    "run.json",
    "samples.csv",
    "samples.npy",
    "summary.json",
  ]);
  const before = await fingerprint(disk.path);
  assert.ok(await mount("mount", "-o", "remount,ro", disk.path));
  for (const out of [disk.path, `${disk.path}/new`]) {
    assertRefused(
      await callHere(`${PRUNE} ${out}`.split(" ")),
      `Cannot write ${out}: got a read-only file system, need one that can be written`,
    );
  }
  const gram = "gram --model mlp --weights none --data digits --out";
  for (const out of [`${disk.path}/K.npy`, `${disk.path}/K.zarr`]) {
    assertRefused(
      await callHere(`${gram} ${out}`.split(" ")),
      `Cannot write ${out}: got a read-only file system`,
    );
  }
  assertRefused(
    await callHere(`experiment extreme --quick --out ${disk.path}/e`.split(" ")),
    `Cannot write ${disk.path}/e: got a read-only file system`,
  );
  assert.ok(await mount("mount", "-o", "remount,rw", disk.path));
  assert.deepEqual(await fingerprint(disk.path), before);
  const filled = await sh(`head -c 1000000 /dev/zero > ${disk.path}/full`);
  assert.notEqual(filled.code, 0);
  assertRefused(await callHere(call), "Cannot write", "got a full disk (no space left), need");
  const { full: _, ...left } = await fingerprint(disk.path);
  assert.deepEqual(left, before);
});

Deno.test("of a run whose disk fills up nothing stays, and the line names the file", async () => {
  await using disk = await mountDisk("12k");
  const out = `${disk.path}/out`;
  const call = `neighbours --model mlp --data digits --test 0 --out ${out}`;
  await using folder = await openTempFolder();
  assert.equal((await callHere(trainWeights(folder.path).split(" "))).code, 0);
  const weights = `${folder.path}/weights/weights.safetensors`;
  const outcome = await callHere(`${call} --weights ${weights} --train-size 60`.split(" "));
  assertRefused(outcome, `Cannot write ${out}/`, "got a full disk (no space left), need");
  assert.deepEqual(await listFolder(disk.path), []);
});

Deno.test("standard output on a full device is a failure in one line, and a closed pipe is none", async () => {
  for (const call of ["--help", "experiment list"]) {
    const { code, stderr } = await sh(`${LPNTK} ${call} > /dev/full`);
    assert.deepEqual([code, stderr.trim()], [
      1,
      "lpntk: Cannot write standard output: got a full disk (no space left), need free space",
    ], call);
  }
  const { code, stderr } = await sh(`set -o pipefail; ${LPNTK} experiment list | true`);
  assert.deepEqual([code, stderr], [0, ""]);
});

for (const [count, kind, out] of [[2, "train", "train"], [4, "matrix", "K.npy"]] as const) {
  Deno.test(`of ${count} processes that race for one place one wins, and the others name it and remove nothing`, async () => {
    await using folder = await openTempFolder();
    const { path } = folder;
    assert.equal((await callHere(trainWeights(path).split(" "))).code, 0);
    const racers = Array.from({ length: count }, () => start(listCalls(path)[kind]));
    const outcomes = await Promise.all(racers.map(end));
    assert.ok(outcomes.some(({ code }) => code === 0), outcomes.map(({ stderr }) => stderr).join());
    for (const { code, stderr } of outcomes) {
      if (code === 0) continue;
      assert.equal(code, 1);
      // a process that comes late finds the work done
      const late = stderr.includes(`got ${path}/K.npy already, need a new name`);
      const [, id] = /got process (\d+) on .* at work on it, need it free/.exec(stderr) ?? [];
      assert.ok(late || racers.some(({ pid }) => pid === Number(id)), stderr);
    }
    assert.deepEqual((await listFolder(path)).filter((name) => /partial|lock/.test(name)), []);
    const left = kind === "train" ? await listFolder(`${path}/${out}`) : await listFolder(path);
    assert.deepEqual(
      left,
      {
        train: [
          "difficulty.csv",
          "difficulty.npy",
          "metrics.json",
          "run.json",
          "samples.csv",
          "samples.npy",
          "test_samples.csv",
          "test_samples.npy",
          "weights.safetensors",
        ],
        matrix: ["K.npy", "K.samples.csv", "K.samples.json", "K.samples.npy", "weights"],
      }[kind],
    );
  });
}

Deno.test("an empty path is a mistake in the call, whatever the command", async () => {
  const kernel = "--model mlp --weights w --data digits";
  for (
    const call of [
      `train --data digits`,
      `gram ${kernel}`,
      `redundant ${kernel}`,
      `relate ${kernel}`,
      `cluster ${kernel}`,
      `neighbours ${kernel} --test 0`,
      `prune ${kernel} --method head`,
      `compare --data digits --arm full`,
      `run --data digits`,
      `experiment extreme`,
    ]
  ) {
    const { code, stderr } = await callHere([...call.split(" "), "--out", ""]);
    assert.equal(code, 2, call);
    assert.match(
      stderr,
      /^lpntk: option '--out <path>' argument '' is invalid\. Got '', need a path/,
    );
  }
});

Deno.test("a current folder is filled where it stands", async () => {
  await using folder = await openTempFolder();
  const { code, stderr } = await finish(
    prepareLpntk(`${PRUNE} .`.split(" "), { cwd: folder.path }),
  );
  assert.deepEqual([code, stderr], [0, ""]);
  assert.ok((await listFolder(folder.path)).includes("run.json"));
});
