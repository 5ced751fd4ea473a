/**
 * Vectors of Mesa's CPU driver: which width the engine takes, and equal products in both widths. On another adapter the widths do not matter, and the
 * tests assert that asking for one changes nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cpus } from "node:os";
import { Buffer } from "node:buffer";
import { remember } from "../../../engine/tuning/memory.ts";
import {
  chooseVectorWidth,
  describeWideCpu,
  type KernelTimes,
  recallVectors,
} from "../../../engine/tuning/vectors.ts";
import { splitAdapterName } from "../../../engine/gpu/drivers.ts";
import { learnVectors } from "../../../engine/tuning/vector_times.ts";
import { expectSuccess, finish, prepareDeno, readJson, ROOT, succeed } from "../../cli/process.ts";
import { VARIANTS } from "../../../engine/rows/variants.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { testGpu } from "../gpu/open.ts";

/** Describes a CPU as Linux does, in one of some twenty lines. */
function describeCpu(flags: string): string {
  return `processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu ${flags} bmi2\n`;
}

Deno.test("a CPU with vectors of 512 bits is known by its model, and another offers no choice", () => {
  const describe = (flags: string) => describeWideCpu("AMD EPYC 9B14", describeCpu(flags));
  assert.equal(describe("avx2 avx512f avx512bw"), "AMD EPYC 9B14");
  assert.equal(describe("avx2 avx512fp16"), undefined);
  assert.equal(describeWideCpu("ARM", "processor\t: 0\nBogoMIPS\t: 243.75\n"), undefined);
  // where the process has no permission to read Linux's description
  assert.equal(describeWideCpu("AMD EPYC 9B14"), "AMD EPYC 9B14");
  assert.equal(describeWideCpu(undefined), undefined);
});

Deno.test("an adapter's name is split where it names a width, and no other number", () => {
  const cases: [name: string, identity: string, width?: number][] = [
    ["llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe (LLVM 15.0.6)", 256],
    ["llvmpipe (LLVM 19.1.7, 512 bits)", "llvmpipe (LLVM 19.1.7)", 512],
    ["llvmpipe (LLVM 11.0.1, 128 bits)", "llvmpipe (LLVM 11.0.1)", undefined],
    ["llvmpipe (LLVM 15.0.6)", "llvmpipe (LLVM 15.0.6)", undefined],
    ["NVIDIA H200 (rev 2, 512 bits)", "NVIDIA H200 (rev 2, 512 bits)", undefined],
    ["", "", undefined],
  ];
  for (const [name, identity, width] of cases) {
    const found = splitAdapterName(name);
    assert.deepEqual([found.identity, found.width], [identity, width], name);
  }
});

Deno.test("the widths are tried in turns, and 512 bits are taken where they are clearly faster", () => {
  const times = (gram_tile: number, convolution: number, processes = 2) => (
    { gram_tile, convolution, processes }
  );
  const cases: [narrow: KernelTimes | undefined, wide: KernelTimes | undefined, width: number][] = [
    [undefined, undefined, 256],
    [times(1, 1, 1), undefined, 512],
    [times(1, 1, 1), times(1, 1, 1), 256],
    [times(1, 1), times(9, 9, 1), 512],
    // a user chose the width
    [undefined, times(1, 1), 256],
    [times(1, 1), undefined, 512],
    [times(1, 1, 1), times(1, 1), 256],
    // times as on Zen 5, Zen 4 and an Intel Xeon
    [times(6.74, 2.62), times(4.12, 2.27), 512],
    [times(1, 1), times(0.65, 1), 512],
    [times(1, 1), times(0.8, 1.45), 256],
    // a loss with one is as large as the gain with the other, whatever their times
    [times(1000, 1), times(500, 2), 256],
    [times(1e-9, 1e9), times(0.9e-9, 0.9e9), 512],
    // ratios at the margin, and within it
    [times(1, 1), times(0.949, 0.949), 512],
    [times(1, 1), times(0.951, 0.951), 256],
    [times(1, 1), times(1, 1), 256],
  ];
  for (const [narrow, wide, width] of cases) {
    const known = { 256: narrow, 512: wide };
    assert.equal(chooseVectorWidth(known), width, JSON.stringify(known));
  }
});

/** Reads the bits of the vectors of Mesa's CPU driver; undefined for another adapter. */
function readWidth(adapter: string): string | undefined {
  return /^llvmpipe .*\b(\d+) bits\)$/.exec(adapter)?.[1];
}

/** Program that asks for an adapter before the engine does, and prints that one's name, the engine's, and Mesa's cache folder. */
const OPEN_SECOND = `
  const adapter = await navigator.gpu.requestAdapter();
  const { openGpu } = await import("./engine/tuning/open.ts");
  const gpu = await openGpu();
  const names = [adapter.info.description || adapter.info.device, gpu.adapter.name];
  console.log(JSON.stringify([...names, Deno.env.get("MESA_SHADER_CACHE_DIR")]));
  gpu.dispose();
`;

/** Program that prints the name of the adapter that the engine opens. */
const OPEN = `
  const { openGpu } = await import("./engine/tuning/open.ts");
  const gpu = await openGpu();
  console.log(gpu.adapter.name);
  gpu.dispose();
`;

Deno.test("a driver that is in use already is left with its width and its cache", async () => {
  const env = { LP_NATIVE_VECTOR_WIDTH: "256", MESA_SHADER_CACHE_DIR: "" };
  const { stdout, code, stderr } = await finish(prepareDeno(["eval", OPEN_SECOND], { env }));
  assert.equal(code, 0, stderr);
  const [before, name, cache] = JSON.parse(stdout);
  assert.equal(name, before);
  // a driver that is not in use may still be told where to keep its shaders
  if (readWidth(name)) assert.equal(cache, "");
});

/** Program that opens the engine's adapter, measures its vectors if there is a choice, and prints its name. */
const LEARN = `
  const { openGpu } = await import("./engine/tuning/open.ts");
  const { learnVectors } = await import("./engine/tuning/vector_times.ts");
  const gpu = await openGpu();
  await learnVectors(gpu);
  console.log(gpu.adapter.name);
  gpu.dispose();
`;

testGpu(
  "processes measure the widths in turns, keep the least times, and take the faster from then on",
  async (gpu) => {
    await using folder = await openTempFolder();
    const { denoDir } = JSON.parse(await expectSuccess(prepareDeno(["info", "--json"])));
    // without a width that an earlier process chose, and without this machine's memory of one
    const env = {
      DENO_DIR: denoDir,
      XDG_CACHE_HOME: folder.path,
      LP_NATIVE_VECTOR_WIDTH: "",
      MESA_SHADER_CACHE_DIR: "",
    };
    const learn = async () =>
      (await expectSuccess(prepareDeno(["eval", LEARN], { env, timeoutMs: 300_000 }))).trim();
    const { identity, width } = splitAdapterName(gpu.adapter.name);
    const memory = width && await recallVectors();
    const named = (bits: number) => memory ? identity.replace(/\)$/, `, ${bits} bits)`) : identity;
    const first = await learn();
    if (!memory) {
      // on another driver, or a CPU without a choice, nothing is set and nothing kept
      assert.equal(splitAdapterName(first).identity, identity);
      assert.equal(await learn(), first);
      await assert.rejects(Deno.stat(`${folder.path}/lpntk/tuning.json`), Deno.errors.NotFound);
      return;
    }
    assert.equal(first, named(256));
    const path = `${folder.path}/lpntk/tuning.json`;
    // times as if two processes had computed with one width, and one with the other, on a busy machine
    const begun = (await readJson(path))[memory.key];
    assert.equal(begun.times[256].processes, 1);
    const busy = { gram_tile: 1e6, convolution: 1e-6, processes: 1 };
    const before = { 256: { ...begun.times[256], processes: 2 }, 512: busy };
    await Deno.writeTextFile(path, JSON.stringify({ [memory.key]: { ...begun, times: before } }));
    assert.equal(await learn(), named(512));
    const kept = (await readJson(path))[memory.key];
    assert.equal(kept.times[512].processes, 2);
    assert.equal(kept.times[512].convolution, busy.convolution);
    assert.ok(kept.times[512].gram_tile < busy.gram_tile);
    assert.ok(kept.measured.startsWith(`${identity}; shaders `), kept.measured);
    assert.deepEqual(Object.keys(kept.times), ["256", "512"]);
    const isWide = chooseVectorWidth(kept.times) === 512;
    assert.equal(await learn(), named(isWide ? 512 : 256));
    // it was not measured again
    assert.deepEqual((await readJson(path))[memory.key], kept);
    // as if the other width were the faster
    const { 256: narrow } = kept.times;
    const slow = { gram_tile: 10 * narrow.gram_tile, convolution: 10 * narrow.convolution };
    const other = isWide ? slow : { gram_tile: 1e-3, convolution: 1e-3 };
    const times = { 256: narrow, 512: { ...other, processes: 2 } };
    await Deno.writeTextFile(path, JSON.stringify({ [memory.key]: { ...kept, times } }));
    assert.equal(await learn(), named(isWide ? 256 : 512));
  },
);

/** Program that opens an adapter as the command line does, before anything else. */
const OPEN_FIRST = `
  const { prepareDrivers } = await import(Deno.args[0].replace(/open\.ts$/, "prepare.ts"));
  await prepareDrivers({ isFirst: true });
  ${OPEN.replace('"./engine/tuning/open.ts"', "Deno.args[0]")}
`;

testGpu(
  "the permissions of the command line are enough to take the width that was measured",
  async (gpu) => {
    await using folder = await openTempFolder();
    const { denoDir } = JSON.parse(await expectSuccess(prepareDeno(["info", "--json"])));
    const program = `${folder.path}/open.ts`;
    await Deno.writeTextFile(program, OPEN_FIRST);
    const rights = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
    const env = {
      DENO_DIR: denoDir,
      XDG_CACHE_HOME: folder.path,
      LP_NATIVE_VECTOR_WIDTH: "",
      MESA_SHADER_CACHE_DIR: "",
    };
    const module = `${ROOT}/engine/tuning/open.ts`;
    const open = async () => {
      const args = ["run", "--quiet", ...rights, program, module];
      return (await expectSuccess(prepareDeno(args, { env }))).trim();
    };
    const { identity, width } = splitAdapterName(gpu.adapter.name);
    if (!width) {
      assert.equal(await open(), identity);
      return;
    }
    assert.equal(splitAdapterName(await open()).width, 256);
    const key = `vectors; ${cpus()[0].model}; Deno ${Deno.version.deno}`;
    const [slow, fast] = [2, 1].map((ms) => ({ gram_tile: ms, convolution: ms, processes: 2 }));
    const memory = { [key]: { measured: identity, times: { 256: slow, 512: fast } } };
    await Deno.mkdir(`${folder.path}/lpntk`, { recursive: true });
    await Deno.writeTextFile(`${folder.path}/lpntk/tuning.json`, JSON.stringify(memory));
    assert.equal(splitAdapterName(await open()).width, 512);
    // the device for kernels of one's own takes it too
    const own = OPEN.replace("tuning/open.ts", "gpu/mod.ts");
    const name = await expectSuccess(prepareDeno(["eval", own], { env }));
    assert.equal(splitAdapterName(name.trim()).width, 512);
  },
);

testGpu(
  "what was measured of another driver, or is to be measured again, is forgotten",
  async (gpu) => {
    await using folder = await openTempFolder();
    const before = Deno.env.get("XDG_CACHE_HOME");
    Deno.env.set("XDG_CACHE_HOME", folder.path);
    try {
      const { identity, width } = splitAdapterName(gpu.adapter.name);
      const memory = width && await recallVectors();
      if (!memory) {
        assert.equal(await learnVectors(gpu), undefined);
        return;
      }
      const times = { gram_tile: 1, convolution: 1, processes: 2 };
      const both = { 256: times, 512: times };
      await remember(memory.key, { measured: "llvmpipe (LLVM 3.3); shaders 0", times: both });
      const learnt = await learnVectors(gpu);
      assert.deepEqual(Object.keys(learnt!), [String(width)]);
      assert.notDeepEqual(learnt![width], times);
      assert.deepEqual((await recallVectors())?.times, learnt);

      const { measured } = (await recallVectors())!;
      assert.ok(measured!.startsWith(identity));
      await remember(memory.key, { measured, times: both });
      assert.deepEqual(await learnVectors(gpu), both);
      const fresh = await learnVectors(gpu, { fresh: true });
      assert.deepEqual(Object.keys(fresh!), [String(width)]);
      assert.notDeepEqual(fresh![width], times);
    } finally {
      if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
      else Deno.env.set("XDG_CACHE_HOME", before);
    }
  },
);

Deno.test("training gives the same weights to the last bit with both widths", async () => {
  await using folder = await openTempFolder();
  const call = "train --model mlp --data digits --train-size 40 --test-size 20 --epochs 1 --out";
  const train = async (width: string) => {
    const out = `${folder.path}/${width}`;
    const env = { LP_NATIVE_VECTOR_WIDTH: width, MESA_SHADER_CACHE_DIR: "" };
    await succeed([...call.split(" "), out], { env, timeoutMs: 300_000 });
    return await Deno.readFile(`${out}/weights.safetensors`);
  };
  assert.ok(Buffer.from(await train("256")).equals(await train("512")));
});

testGpu("Gram tiles agree with their twin in vectors of the other width", async (gpu) => {
  await using folder = await openTempFolder();
  const { name } = gpu.adapter;
  const width = readWidth(name) === "512" ? "256" : "512";
  const env = { LP_NATIVE_VECTOR_WIDTH: width, MESA_SHADER_CACHE_DIR: folder.path };
  const asked = await finish(prepareDeno(["eval", OPEN], { env }));
  // another driver ignores the variable, and the tiles below are then this adapter's again
  if (readWidth(name)) assert.equal(readWidth(asked.stdout.trim()), width, asked.stderr);
  else assert.equal(asked.stdout.trim(), name, asked.stderr);
  // runs every variant on rows of every kind of segment, at a size with all that a pair of panels may be
  const filter =
    "/^gram tiles .* agree with their twin on plain and factored segments: three panels/";
  const args = ["test", "-A", "--no-check", `--filter=${filter}`, "tests/engine/rows/rows.test.ts"];
  const { code, stdout } = await finish(prepareDeno(args, { env, timeoutMs: 300_000 }));
  assert.equal(code, 0, stdout);
  assert.match(stdout, new RegExp(`ok \\| ${VARIANTS.length} passed .*\\| 0 failed`));
});
