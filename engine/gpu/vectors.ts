/**
 * Which width of vectors Mesa's CPU driver computes with: the one that was measured to be faster on this CPU. The driver reads the width once,
 * when a process first asks for an adapter, so that a process measures one width, and what it found decides for those after it.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { kernels } from "../../shaders/kernel_table.ts";
import { hashShaders, readMemory } from "./memory.ts";

/** Bits of a vector: what the driver takes by itself, and what it takes when told to on a CPU that has such vectors. */
export const VECTOR_WIDTHS = [256, 512] as const;
export type VectorWidth = typeof VECTOR_WIDTHS[number];

/** Milliseconds of CPU time of what the tiles of a kernel and the passes of a network spend their time on. */
export interface KernelTimes {
  readonly gram_tile: number;
  readonly convolution: number;
}

/** Times by width, as far as they were measured. */
export type VectorTimes = Readonly<Partial<Record<VectorWidth, KernelTimes>>>;

const KERNELS = z.object({ gram_tile: z.number().positive(), convolution: z.number().positive() });

const MEMORY = z.object({
  /** The identity of the adapter that was measured. */
  adapter: z.string(),
  times: z.object({ 256: KERNELS.optional(), 512: KERNELS.optional() }),
});

/** What is remembered of a CPU, and where. */
export interface VectorMemory {
  readonly key: string;
  readonly adapter?: string;
  readonly times: VectorTimes;
}

/** Of the time with 256 bits, what 512 may take at most: they have to gain more than noise does. */
const WORTHWHILE = 0.95;

/**
 * The width to compute with: each is tried once, the driver's own first; then 512 bits where they are clearly faster, on the geometric mean
 * of both kernels.
 */
export function chooseVectorWidth({ 256: narrow, 512: wide }: VectorTimes): VectorWidth {
  if (!narrow) return 256;
  if (!wide) return 512;
  const ratio = (name: keyof KernelTimes) => wide[name] / narrow[name];
  return Math.sqrt(ratio("gram_tile") * ratio("convolution")) < WORTHWHILE ? 512 : 256;
}

/** What is remembered of this machine's CPU; undefined where it has no vectors of 512 bits, so that there is nothing to choose. */
export async function recallVectors(): Promise<VectorMemory | undefined> {
  const cpu = describeWideCpu(await Deno.readTextFile("/proc/cpuinfo"));
  if (cpu === undefined) return undefined;
  const shaders = [kernels.gram_tile_subgroup, kernels.convolution].map(({ source }) => source);
  const key = `vectors; ${cpu}; Deno ${Deno.version.deno}; shaders ${await hashShaders(shaders)}`;
  const remembered = MEMORY.safeParse((await readMemory())[key]);
  return { key, ...remembered.success ? remembered.data : { times: {} } };
}

/** A CPU by what Linux says of the first of its cores; undefined where it has no vectors of 512 bits. */
export function describeWideCpu(cpuinfo: string): string | undefined {
  if (!/^flags\s*:.*\bavx512f\b/m.test(cpuinfo)) return undefined;
  const read = (name: string) => cpuinfo.match(new RegExp(`^${name}\\s*: (.*)$`, "m"))?.[1];
  return ["vendor_id", "model name", "cpu family", "model", "stepping"].map(read).join(" ");
}

/** What an adapter's name says beside the width, and the width: `llvmpipe (LLVM 15.0.6, 256 bits)`; no width of other drivers. */
export function splitAdapterName(name: string): { identity: string; width?: VectorWidth } {
  const [, before, bits] = /^(llvmpipe \(.*), (\d+) bits\)$/.exec(name) ?? [];
  if (before === undefined) return { identity: name };
  return { identity: `${before})`, width: VECTOR_WIDTHS.find((width) => width === Number(bits)) };
}
