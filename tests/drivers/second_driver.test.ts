/** The kernels' tests once more on a second Vulkan driver, with subgroups, limits and textures of its own. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openTempFolder } from "../temp_folder.ts";
import { describeSwiftshader } from "./swiftshader.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Test files that hold kernels against their float64 twins in seconds; those of convolutions and whole networks take minutes there. */
const FILES = [
  "gpu/adapter",
  "gpu/device",
  "kernel/entk",
  "kernel/epilogues",
  "operations/activation",
  "operations/pointwise",
  "operations/pooling",
  "operations/smooth_activation",
  "rows/rows",
  "rows/variants",
  "samples/gradient_norm",
  "store/device",
  "training/descent",
].map((name) => `tests/engine/${name}.test.ts`);

Deno.test("kernels compute the same on SwiftShader", async () => {
  await using folder = await openTempFolder();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--parallel", ...FILES],
    cwd: ROOT,
    env: { ...await describeSwiftshader(folder.path), DENO_JOBS: "2", NO_COLOR: "1" },
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  assert.equal(code, 0, text.slice(-20_000));
  const [summary, passed] = /^ok \| (\d+) passed.*/m.exec(text) ?? [];
  assert.ok(summary && Number(passed) > 400 && !summary.includes("ignored"), text.slice(-500));
});
