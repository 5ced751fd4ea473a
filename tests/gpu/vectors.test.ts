/**
 * Vectors of Mesa's CPU driver: which width the engine takes, and the same products in the other. On another adapter the widths are of no
 * account, and the tests hold that asking for one changes nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { isFastestWith512Bits } from "../../engine/gpu/drivers.ts";
import { VARIANTS } from "../../engine/rows/variants.ts";
import { finish, prepareDeno } from "../cli/process.ts";
import { openTempFolder } from "../unit/data_fixtures.ts";
import { testGpu } from "./open.ts";

/** A CPU as Linux describes it, by a line in twenty. */
function describeCpu(vendor: string, family: number, flags: string): string {
  return `processor\t: 0\nvendor_id\t: ${vendor}\ncpu family\t: ${family}\nflags\t\t: fpu ${flags} bmi2\n`;
}

Deno.test("512 bits are taken on AMD's CPUs that compute them at once", () => {
  const isWide = (...cpu: Parameters<typeof describeCpu>) =>
    isFastestWith512Bits(describeCpu(...cpu));
  assert.ok(isWide("AuthenticAMD", 26, "avx2 avx512f avx512bw"));
  assert.ok(!isWide("AuthenticAMD", 26, "avx2"), "no 512 bits");
  assert.ok(!isWide("AuthenticAMD", 25, "avx2 avx512f avx512bw"), "Zen 4");
  assert.ok(!isWide("GenuineIntel", 26, "avx2 avx512f avx512bw"), "Intel");
  assert.ok(!isFastestWith512Bits("processor\t: 0\nBogoMIPS\t: 243.75\n"), "another architecture");
});

/** Bits of the vectors of Mesa's CPU driver; undefined of another adapter. */
function readWidth(adapter: string): string | undefined {
  return /^llvmpipe .*\b(\d+) bits\)$/.exec(adapter)?.[1];
}

/** What a process finds that has asked for an adapter before the engine does: that one's name, the engine's, and Mesa's cache. */
const OPEN_SECOND = `
  const adapter = await navigator.gpu.requestAdapter();
  const { Gpu } = await import("./engine/gpu/device.ts");
  const gpu = await Gpu.open();
  const names = [adapter.info.description || adapter.info.device, gpu.adapter.name];
  console.log(JSON.stringify([...names, Deno.env.get("MESA_SHADER_CACHE_DIR")]));
  gpu.dispose();
`;

/** The name of the adapter that the engine opens. */
const OPEN = `
  const { Gpu } = await import("./engine/gpu/device.ts");
  const gpu = await Gpu.open();
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

testGpu("Gram tiles agree with their twin in vectors of the other width", async (gpu) => {
  await using folder = await openTempFolder();
  const { name } = gpu.adapter;
  const width = readWidth(name) === "512" ? "256" : "512";
  const env = { LP_NATIVE_VECTOR_WIDTH: width, MESA_SHADER_CACHE_DIR: folder.path };
  const asked = await finish(prepareDeno(["eval", OPEN], { env }));
  // another driver does not know the variable, and the tiles below are once more those of this adapter
  if (readWidth(name)) assert.equal(readWidth(asked.stdout.trim()), width, asked.stderr);
  else assert.equal(asked.stdout.trim(), name, asked.stderr);
  // every variant on rows of every kind of segment, at the size that holds all that a pair of panels may be
  const filter =
    "/^gram tiles .* agree with their twin on plain and factored segments: three panels/";
  const args = ["test", "-A", "--no-check", `--filter=${filter}`, "tests/gpu/rows.test.ts"];
  const { code, stdout } = await finish(prepareDeno(args, { env, timeoutMs: 300_000 }));
  assert.equal(code, 0, stdout);
  assert.match(stdout, new RegExp(`ok \\| ${VARIANTS.length} passed .*\\| 0 failed`));
});
