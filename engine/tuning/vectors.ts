/**
 * Which width of vectors Mesa's CPU driver computes with: the one that was measured to be faster on this CPU. The driver reads the width once,
 * when a process first asks for an adapter, so that a process measures one width, and what it found decides for those after it.
 *
 * @module
 */
import { cpus } from "node:os";
import { z } from "npm:zod@4.6.7";
import type { VectorWidth } from "../gpu/drivers.ts";
import { readMemory } from "./memory.ts";

/** Milliseconds of CPU time of what the tiles of a kernel and the passes of a network spend their time on. */
export interface KernelTimes {
  /** Of a tile of the Gram matrix. */
  readonly gram_tile: number;
  /** Of a convolution. */
  readonly convolution: number;
  /** How many processes measured, of which these are the least times: what else a machine does only adds to them. */
  readonly processes: number;
}

/** Times by width, as far as they were measured. */
export type VectorTimes = Readonly<Partial<Record<VectorWidth, KernelTimes>>>;

const KERNELS = z.object({
  gram_tile: z.number().positive(),
  convolution: z.number().positive(),
  processes: z.int().positive(),
});

const MEMORY = z.object({
  /** What was measured: the adapter's identity and the shaders. */
  measured: z.string(),
  times: z.object({ 256: KERNELS.optional(), 512: KERNELS.optional() }),
});

/** What is remembered of a CPU, and where. */
export interface VectorMemory {
  readonly key: string;
  /** What was measured: the adapter's identity and the shaders. */
  readonly measured?: string;
  readonly times: VectorTimes;
}

/** Processes that measure a width. */
export const PROCESSES = 2;

/** Of the time with 256 bits, what 512 may take at most: they have to gain more than noise does. */
const WORTHWHILE = 0.95;

/**
 * The width to compute with: they are tried in turns, the driver's own first, until each was measured by enough processes; then 512 bits where
 * they are clearly faster, on the geometric mean of both kernels.
 */
export function chooseVectorWidth({ 256: narrow, 512: wide }: VectorTimes): VectorWidth {
  const [narrowCount, wideCount] = [narrow, wide].map((times) => times?.processes ?? 0);
  if (!narrow || !wide || Math.min(narrowCount, wideCount) < PROCESSES) {
    return wideCount < narrowCount ? 512 : 256;
  }
  const ratio = (name: "gram_tile" | "convolution") => wide[name] / narrow[name];
  return Math.sqrt(ratio("gram_tile") * ratio("convolution")) < WORTHWHILE ? 512 : 256;
}

/** What is remembered of this machine's CPU; undefined where it is known to have no vectors of 512 bits, so that there is nothing to choose. */
export async function recallVectors(): Promise<VectorMemory | undefined> {
  const cpu = describeWideCpu(readModel(), await readSystemFile("/proc/cpuinfo"));
  if (cpu === undefined) return undefined;
  const key = `vectors; ${cpu}; Deno ${Deno.version.deno}`;
  const remembered = MEMORY.safeParse((await readMemory())[key]);
  return { key, ...remembered.success ? remembered.data : { times: {} } };
}

/**
 * A CPU by its model; undefined where it is known to have no vectors of 512 bits. Where Linux's description of it may not be read, they are
 * tried: a CPU without them computes the same with two vectors of 256.
 */
export function describeWideCpu(model: string | undefined, cpuinfo?: string): string | undefined {
  const isNarrow = cpuinfo !== undefined && !/^flags\s*:.*\bavx512f\b/m.test(cpuinfo);
  return isNarrow ? undefined : model;
}

/** The CPU's model, on the machines whose CPUs may have vectors of 512 bits and where it may be asked. */
function readModel(): string | undefined {
  if (Deno.build.arch !== "x86_64") return undefined;
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "cpus" });
  return state === "granted" ? cpus()[0]?.model : undefined;
}

/** A file in which Linux describes the machine or the process; undefined where there is none, or it may not be read: Deno wants all permissions for that. */
export async function readSystemFile(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}
