/** Vectors of Mesa's CPU driver: which width the engine takes, and the same products in the other. @module */
import assert from "node:assert/strict";
import { isFastestWith512Bits } from "../../engine/gpu/drivers.ts";
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

testGpu("Gram tiles agree with their twin in vectors of the other width", async (gpu) => {
  await using folder = await openTempFolder();
  const width = gpu.adapter.name.includes("512 bits") ? "256" : "512";
  const args = ["test", "-A", "--no-check", "--filter", "gram tiles", "tests/gpu/rows.test.ts"];
  const env = { LP_NATIVE_VECTOR_WIDTH: width, MESA_SHADER_CACHE_DIR: folder.path };
  const { code, stdout } = await finish(prepareDeno(args, { env, timeoutMs: 300_000 }));
  assert.equal(code, 0, stdout);
  assert.match(stdout, /ok \| \d+ passed \| 0 failed/);
});
