/**
 * Ceilings of the adapter: multiply-adds from registers, and bytes of a plain copy.
 *
 * @module
 */
import type { Gpu } from "../../engine/gpu/device.ts";
import { Kernel } from "../../engine/gpu/kernel.ts";
import { drawIntegers, readFloats, Scratch } from "../case.ts";
import { type Contender, recordLaunches } from "../contender.ts";
import { type Stopwatch, timeInTurns, validate } from "../measure.ts";
import type { Ceilings } from "../report.ts";
import fmaChains from "./fma_chains.wgsl" with { type: "text" };

const chains = new Kernel("fma_chains", fmaChains, {
  params: { iteration_count: "u32", scale: "f32", offset: "f32" },
  buffers: { totals: "read_write" },
});

/** Number of an invocation's chains. */
const CHAINS = 32;
const INVOCATIONS = 2 ** 17;
const ITERATIONS = 1024;

/** Elements of the buffer that is copied: more than caches hold. */
const COPIED = 2 ** 25;
/** Elements of the copy that are checked. */
const CHECKED = 1024;

/** What a computation that reaches a ceiling does: FLOPs, or bytes read and written. */
export const CEILING_WORK: Ceilings = {
  gflops: 2 * CHAINS * INVOCATIONS * ITERATIONS,
  gb_per_s: 2 * 4 * COPIED,
};

/** Measures both ceilings; the best of some measurements counts. */
export async function measureCeilings(stopwatch: Stopwatch): Promise<Ceilings> {
  using scratch = new Scratch(stopwatch.gpu);
  const timings = await timeInTurns(stopwatch, {
    gflops: await enterCeiling(stopwatch.gpu, scratch, "gflops"),
    gb_per_s: await enterCeiling(stopwatch.gpu, scratch, "gb_per_s"),
  });
  const rate = (name: keyof Ceilings) => CEILING_WORK[name] / timings[name].min / 1e6;
  return { gflops: rate("gflops"), gb_per_s: rate("gb_per_s") };
}

/**
 * What reaches a ceiling, its numbers held against what is known of them.
 *
 * @throws {Error} if it computes others.
 */
export async function enterCeiling(
  gpu: Gpu,
  scratch: Scratch,
  name: keyof Ceilings,
): Promise<Contender> {
  if (name === "gflops") {
    const fma = enterChains(gpu, scratch);
    // a chain that halves and adds one converges to two
    const expected = enterNumbers(new Float32Array(INVOCATIONS).fill(2 * CHAINS));
    await validate("multiply-adds", { fma, expected });
    return fma;
  }
  const pattern = drawIntegers(1, CHECKED);
  const copy = enterCopy(gpu, scratch, pattern);
  await validate("copy", { copy, expected: enterNumbers(pattern) });
  return copy;
}

function enterChains(gpu: Gpu, scratch: Scratch): Contender {
  const totals = scratch.create("totals", INVOCATIONS);
  const params = { iteration_count: ITERATIONS, scale: 0.5, offset: 1 };
  return recordLaunches(
    gpu,
    (commands) => commands.run(chains, params, { totals }, INVOCATIONS / 64),
    () => readFloats(gpu, totals),
  );
}

/** Enters a copy whose last elements are `pattern`. */
function enterCopy(gpu: Gpu, scratch: Scratch, pattern: Float32Array<ArrayBuffer>): Contender {
  const from = scratch.create("copied", COPIED);
  const to = scratch.create("copy", COPIED);
  const end = 4 * (COPIED - CHECKED);
  gpu.device.queue.writeBuffer(from, end, pattern);
  return recordLaunches(
    gpu,
    (commands) => commands.copy(from, 0, to, 0, 4 * COPIED),
    async () => new Float32Array(await gpu.read(to, 4 * CHECKED, end)),
  );
}

/** Enters the expected values. */
function enterNumbers(numbers: Float32Array): Contender {
  return { run: () => {}, read: () => Promise.resolve(numbers) };
}
