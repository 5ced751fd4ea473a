/** `lpntk doctor` and its self-test, on sound shaders and on sabotaged ones: whatever a kernel gets wrong, it is named. @module */
import assert from "node:assert/strict";
import type { Check } from "../../cli/self_test/checks.ts";
import { testKernels } from "../../cli/self_test/self_test.ts";
import { main } from "../../cli/main.ts";
import { withoutAdapter } from "./process.ts";
import { type Engine, openEngine } from "../../engine/engine.ts";
import { Commands } from "../../engine/gpu/commands.ts";
import type { Kernel, Reading } from "../../engine/gpu/kernel.ts";
import { print, tokenize } from "../../engine/wgsl/tokens.ts";
import { kernels } from "../../shaders/kernel_table.ts";

/** Fault: an expression that replaces an output of a kernel. */
type Fault = (value: string) => string;

/** Fault of half precision, which some drivers use where they should not. */
const slightly: Fault = (value) => `quantizeToF16(${value})`;
/** Fault of a NaN that no compiler foresees. */
const notANumber: Fault = (value) => `sqrt(-1.0 - abs(${value}))`;

/** Kernels that copy rows or write integers, with a text to replace and its faulty replacement. */
const OTHERS: Readonly<Record<string, readonly [right: string, wrong: string]>> = {
  fpc_gather: ["[row % 4u]", "[(row + 1u) % 4u]"],
  tile_maximum: ["bitcast<u32>(value)", "bitcast<u32>(quantizeToF16(value))"],
  tile_relations: [", unrelated)", ", unrelated + 1u)"],
  fpc_select: [
    "let next = least_sample[0];",
    "let next = (least_sample[0] + 1u) % params.sample_count;",
  ],
};

/** Puts a fault into every output in a kernel's WGSL. */
function spoil({ name, buffers }: Kernel, source: string, fault: Fault): string {
  const [right, wrong] = (OTHERS[name] ?? []).map((code) => print(tokenize(code)).trim());
  if (right) return source.replaceAll(right, wrong);
  return buffers.filter(([, access]) => access === "read_write")
    .map(([buffer]) => buffer)
    .filter((buffer) => !source.includes(print(tokenize(`> ${buffer}: array<u32`))))
    .reduce(
      (code, buffer) =>
        code.replace(
          new RegExp(`\\b(${buffer}\\[[^=;]*\\] = )([^;]+);`, "g"),
          (_, place, value) => `${place}${fault(value)};`,
        ),
      source,
    );
}

/** Runs something while some kernels have a fault. */
async function sabotage<T>(
  faults: Readonly<Record<string, Fault>>,
  run: () => Promise<T>,
): Promise<T> {
  const spoilt = new Map<unknown, unknown>();
  const launch = Commands.prototype.run;
  Commands.prototype.run = function (kernel, ...rest) {
    const fault = faults[kernel.name];
    if (!fault) return launch.call(this, kernel, ...rest);
    if (!spoilt.has(kernel)) {
      const expand = (reading: Reading) => {
        const code = kernel.expand(reading);
        const faulty = spoil(kernel as Kernel, code, fault);
        assert.notEqual(faulty, code, `${kernel.name} is as it was`);
        return faulty;
      };
      spoilt.set(kernel, Object.create(kernel, { expand: { value: expand } }));
    }
    return launch.call(this, spoilt.get(kernel) as typeof kernel, ...rest);
  };
  try {
    return await run();
  } finally {
    Commands.prototype.run = launch;
  }
}

const names = ({ kernels }: Check) => kernels.split(", ");

let engine: Engine | undefined;
const open = async () => engine ??= await openEngine();
const close = () => {
  engine?.dispose();
  engine = undefined;
};
Deno.test.afterAll(close);

Deno.test("the self-test passes, and names every kernel but the Gram kernel's other variants", async () => {
  const checks = await testKernels(await open());
  assert.deepEqual(checks.filter(({ passed }) => !passed), []);
  const isGram = (name: string) => name.startsWith("gram_tile");
  const named = checks.flatMap(names);
  assert.equal(named.filter(isGram).length, 1);
  assert.deepEqual(
    named.filter((name) => !isGram(name)).sort(),
    Object.keys(kernels).filter((name) => !isGram(name)).sort(),
  );
});

// kernels of checks that do not depend on one another are tested together
for (
  const together of [
    [
      "tanh",
      "sum_products",
      "self_similarity",
      "tile_diagonal",
      "tile_maximum",
      "tile_relations",
      "tile_nearest",
      "fpc_gather",
      "cross_entropy",
    ],
    ["gelu", "pool", "fpc_assign", "cross_entropy_gradient"],
    ["fpc_select", "sum_groups", "pool_gradient"],
    ["momentum_step", "pointwise"],
  ]
) {
  Deno.test(`the self-test finds small errors of ${together.join(", ")}, and no others`, async () => {
    const faults = Object.fromEntries(together.map((name) => [name, slightly]));
    const checks = await sabotage(faults, async () => await testKernels(await open()));
    for (const check of checks) {
      const isSpoilt = names(check).some((name) => together.includes(name));
      assert.equal(check.passed, !isSpoilt, `${check.kernels}: ${check.error}`);
    }
  });
}

// the outputs of these kernels go into more than one check
for (
  const name of [
    "pack_filter",
    "convolution",
    "relu",
    "max_pool",
    "relu_gradient",
    "max_pool_gradient",
    "filter_gradient",
    "project_factored",
    "project_patches",
    "sum_positions",
  ]
) {
  Deno.test(`the self-test finds a small error of ${name}`, async () => {
    const checks = await sabotage(
      { [name]: slightly },
      async () => await testKernels(await open()),
    );
    const check = checks.find((check) => names(check).includes(name))!;
    assert.ok(!check.passed, `${check.error}`);
  });
}

for (const name of ["convolution", "tanh", "gram_tile", "sum_products", "momentum_step"]) {
  Deno.test(`the self-test finds a NaN of ${name}`, async () => {
    const variants = Object.keys(kernels).filter((stem) => stem.startsWith(name));
    const faults = Object.fromEntries(variants.map((stem) => [stem, notANumber]));
    const checks = await sabotage(faults, async () => await testKernels(await open()));
    const check = checks.find((check) => names(check).some((stem) => stem.startsWith(name)))!;
    assert.deepEqual([check.passed, check.error], [false, NaN]);
  });
}

/** Runs `lpntk doctor`: its output and exit code. */
async function callDoctor(): Promise<{ code: number; printed: string; complaint: string }> {
  close(); // a process has one engine at a time
  const { log, error } = console;
  const [printed, complaint]: [string[], string[]] = [[], []];
  console.log = (line) => printed.push(line);
  console.error = (line) => complaint.push(line);
  try {
    const code = await main(["doctor"]);
    return { code, printed: printed.join("\n"), complaint: complaint.join("\n") };
  } finally {
    Object.assign(console, { log, error });
  }
}

Deno.test("doctor exits with 0 on sound kernels, with 1 on others and names them in one line", async () => {
  const sound = await callDoctor();
  assert.deepEqual([sound.code, withoutAdapter(`${sound.complaint}\n`).trim()], [0, ""]);
  assert.match(sound.printed, /^asked for: high-performance/m);
  assert.match(sound.printed, /^ok {3}sum_products +error \d\.\de-\d+$/m);
  const faults = { tanh: notANumber, sum_products: slightly };
  const spoilt = await sabotage(faults, callDoctor);
  assert.equal(spoilt.code, 1);
  assert.match(spoilt.printed, /^FAIL tanh, gelu +error NaN$/m);
  assert.match(spoilt.printed, /^FAIL sum_products +error \d\.\de-[45]$/m);
  assert.match(spoilt.printed, /^ok {3}self_similarity/m);
  assert.match(
    spoilt.complaint,
    /^lpntk: Cannot trust this adapter: got wrong numbers from tanh, gelu; sum_products, need [^\n]*$/,
  );
});
