/**
 * Processes that are killed, or told to stop, at random moments: the same call resumes them, and ends with the bytes of one that was not.
 *
 * `LPNTK_FAULTS` says how often; the moments are the same in every run.
 *
 * @module
 */
import assert from "node:assert/strict";
import { callHere, listFolder } from "../cli/process.ts";
import { openTempFolder } from "../temp_folder.ts";
import { killRunning } from "../engine/store/store_fixtures.ts";
import { drawNumbers, end, listCalls, printResults, sleep, start, trainWeights } from "./calls.ts";

const COUNT = Number(Deno.env.get("LPNTK_FAULTS") ?? 4);

const OUTPUTS = { train: "train", matrix: "K.npy", store: "K.zarr" } as const;

/** Names that may lie in a folder of calls after a kill. */
const LEFT = /^(weights|train|K\.npy\.(lock|partial)|K\.zarr|K\.npy|K\.samples\.(npy|json))$/;

for (const [kind, out] of Object.entries(OUTPUTS) as [keyof typeof OUTPUTS, string][]) {
  Deno.test(`${kind}: kill -9 at ${COUNT} moments`, async () => {
    await using folder = await openTempFolder();
    const { path } = folder;
    assert.equal((await callHere(trainWeights(path).split(" "))).code, 0);
    const call = listCalls(path)[kind];
    const begun = performance.now();
    assert.equal((await end(start(call))).code, 0);
    const wholeMs = performance.now() - begun;
    const read = () => kind === "matrix" ? printMatrix(path) : printResults(`${path}/${out}`);
    const remove = async () => {
      for (const name of await listFolder(path)) {
        if (name !== "weights") await Deno.remove(`${path}/${name}`, { recursive: true });
      }
    };
    const whole = await read();
    await remove();
    const draw = drawNumbers(1);
    for (let kills = 0; kills < COUNT;) {
      const child = start(call);
      const ended = end(child);
      await Promise.race([sleep(wholeMs * draw()), ended]);
      killRunning(child, "SIGKILL");
      const { code, signal, stderr } = await ended;
      if (signal === "SIGKILL") kills++;
      else if (code === 0) {
        assert.deepEqual(await read(), whole);
        await remove();
      } else {
        // it was killed when all was written: the next call moves the results into place, and finds them there
        assert.match(stderr, /got .*K\.npy already, need a new name/);
        assert.deepEqual(await read(), whole);
        await remove();
      }
      for (const name of await listFolder(path)) assert.match(name, LEFT);
    }
    const { code, stderr } = await end(start(call));
    assert.ok(code === 0 || /got .*K\.npy already/.test(stderr), stderr);
    assert.deepEqual(await read(), whole);
  });

  Deno.test(`${kind}: told to stop at ${COUNT} moments`, async () => {
    await using folder = await openTempFolder();
    const { path } = folder;
    assert.equal((await callHere(trainWeights(path).split(" "))).code, 0);
    const call = listCalls(path)[kind];
    const draw = drawNumbers(2);
    for (let round = 0; round < COUNT; round++) {
      const child = start(call);
      const ended = end(child);
      // sent once the process listens; before that, the system ends it
      await seePlace(`${path}/${kind === "matrix" ? "K.npy.lock" : `${out}/.lock`}`, ended);
      await Promise.race([sleep(1500 * draw()), ended]);
      const signal = (["SIGINT", "SIGTERM", "SIGHUP"] as const)[round % 3];
      killRunning(child, signal);
      const { code, stderr } = await ended;
      if (code === 0) break;
      assert.equal(code, { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal], stderr);
      const names = await listFolder(path);
      if (kind === "matrix") assert.deepEqual(names, ["weights"]);
      else if (names.includes(out)) {
        const inside = (await listFolder(`${path}/${out}`)).join();
        assert.match(inside, kind === "train" ? /^\.resume$/ : /^(c,)?(samples\.npy,)?zarr\.json$/);
      }
    }
  });
}

/** Waits until a file exists, or the process has ended. */
async function seePlace(path: string, ended: Promise<unknown>): Promise<void> {
  let isRunning = true;
  ended.then(() => isRunning = false);
  while (isRunning && !await Deno.stat(path).then(() => true, () => false)) await sleep(5);
  // the listeners follow the lock at once
  await sleep(20);
}

async function printMatrix(path: string): Promise<Record<string, string>> {
  const all = await printResults(path);
  return Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith("K.")));
}
