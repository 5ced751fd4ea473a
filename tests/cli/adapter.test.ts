/** The adapter that a command computes on: announced once if it is the CPU, refused if a GPU is required, and recorded. @module */
import assert from "node:assert/strict";
import { beginCommand, findUsedAdapter, GpuRequiredError, useAdapter } from "../../cli/adapter.ts";
import { type AdapterDescription, NoAdapterError, openEngine } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { callHere, listFolder, prepareLpntk, readJson, ROOT } from "./process.ts";

const ADAPTER: AdapterDescription = {
  name: "made up",
  identity: "made up",
  vendor: "",
  backend: "made up too",
  asked: { powerPreference: "high-performance", environment: {} },
  features: [],
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
  isFallback: false,
};

/** Stand-in for an engine, which knows whether it was disposed. */
class Opened {
  isDisposed = false;
  dispose(): void {
    this.isDisposed = true;
  }
}

/** Opens an adapter, and returns what was printed on standard error. */
async function open(opened: Opened, adapter: AdapterDescription): Promise<string[]> {
  const said: string[] = [];
  const { error } = console;
  console.error = (line: string) => said.push(line);
  try {
    await useAdapter(() => Promise.resolve(opened), () => adapter);
  } finally {
    console.error = error;
  }
  return said;
}

Deno.test("a CPU adapter is said in one line, once, and a GPU is not", async () => {
  const opened = new Opened();
  await beginCommand();
  assert.equal(findUsedAdapter(), undefined);
  assert.deepEqual(await open(opened, ADAPTER), []);
  assert.deepEqual(findUsedAdapter(), { name: "made up", backend: "made up too" });
  const cpu = { ...ADAPTER, name: "slow", isFallback: true };
  assert.deepEqual(await open(opened, cpu), [
    "lpntk: computes on the CPU, by slow; --require-gpu refuses that",
  ]);
  assert.deepEqual(await open(opened, cpu), []);
  assert.equal(opened.isDisposed, false);
  await beginCommand();
  assert.equal(findUsedAdapter(), undefined);
});

Deno.test("where a GPU is required, a CPU adapter and none at all are refused", async () => {
  await beginCommand(true);
  const opened = new Opened();
  assert.deepEqual(await open(opened, ADAPTER), []);
  assert.equal(opened.isDisposed, false);
  await assert.rejects(open(opened, { ...ADAPTER, isFallback: true }), GpuRequiredError);
  assert.equal(opened.isDisposed, true);
  const fail = () => Promise.reject(new NoAdapterError("Cannot open a GPU: got none"));
  await assert.rejects(useAdapter(fail, () => ADAPTER), {
    name: "GpuRequiredError",
    message: "Cannot open a GPU: got none",
  });
  await beginCommand();
  await assert.rejects(useAdapter(fail, () => ADAPTER), NoAdapterError);
});

Deno.test("every command opens its engine where that is looked after", async () => {
  const openers: string[] = [];
  for (const folder of ["cli", "cli/commands", "cli/experiments"]) {
    for (const name of (await listFolder(`${ROOT}/${folder}`)).filter((n) => n.endsWith(".ts"))) {
      const source = await Deno.readTextFile(`${ROOT}/${folder}/${name}`);
      if (source.includes("openEngine")) openers.push(`${folder}/${name}`);
    }
  }
  assert.deepEqual(openers, ["cli/adapter.ts"]);
  for (const [file, open] of [["open", "openTunedGpu"], ["kernel", "openGpu"]]) {
    const bench = await Deno.readTextFile(`${ROOT}/bench/${file}.ts`);
    assert.deepEqual(bench.match(/.*(\bopen\w*Gpu|Gpu\.open)\b(?!.* from ).*/g), [
      `  const gpu = await use(${open}, ({ adapter }) => adapter);`,
    ]);
  }
});

/** Smallest training call. */
const TRAIN = "train --model mlp --data digits --train-size 20 --test-size 10 --epochs 1 --out";

Deno.test("what a command computed on is said on standard error and stands in run.json", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/a`;
  const { code, stderr } = await prepareLpntk([...TRAIN.split(" "), out]).output();
  const { name, isFallback } = await (async () => {
    using engine = await openEngine();
    return engine.adapter;
  })();
  const line = `lpntk: computes on the CPU, by ${name}; --require-gpu refuses that\n`;
  assert.equal(new TextDecoder().decode(stderr), isFallback ? line : "");
  assert.equal(code, 0);
  const { adapter } = await readJson(`${out}/run.json`);
  assert.equal(adapter.name, name);
  const set = Deno.env.get("DENO_WEBGPU_BACKEND");
  if (Deno.build.os === "linux") assert.equal(adapter.backend, set || "vulkan");
  assert.ok(adapter.backend.length > 0);
  // the same call may be repeated on any adapter
  await Deno.writeTextFile(
    `${out}/run.json`,
    JSON.stringify({ ...await readJson(`${out}/run.json`), adapter: { name: "another" } }),
  );
  assert.equal((await callHere([...TRAIN.split(" "), out])).code, 0);
  assert.deepEqual((await readJson(`${out}/run.json`)).adapter, adapter);
});

Deno.test("--require-gpu before or after a command ends it with 3 on a CPU, and leaves nothing", async () => {
  await using folder = await openTempFolder();
  const { isFallback } = await (async () => {
    using engine = await openEngine();
    return engine.adapter;
  })();
  const calls = [
    `--require-gpu ${TRAIN} ${folder.path}/a`,
    `${TRAIN} ${folder.path}/b --require-gpu`,
    `experiment extreme --quick --data digits --out ${folder.path}/c --require-gpu`,
  ];
  if (!isFallback) {
    // the calls need a GPU and nothing else
    assert.equal((await callHere(calls[0].split(" "))).code, 0);
    return;
  }
  for (const call of calls) {
    const { code, stdout, stderr } = await callHere(call.split(" "));
    assert.deepEqual({ code, stdout }, { code: 3, stdout: "" }, stderr);
    assert.match(
      stderr,
      /^lpntk: Cannot compute on [^\n]+: got a CPU adapter, need a GPU; [^\n]+\n$/,
    );
  }
  assert.deepEqual(await listFolder(folder.path), []);
});
