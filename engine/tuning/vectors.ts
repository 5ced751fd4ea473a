/**
 * Choice of the vector width that Mesa's CPU driver computes with: the one that was measured to be faster on this CPU. The driver reads the
 * width once, when a process first requests an adapter, so that a process measures one width, for later processes to choose by.
 *
 * @module
 */
import { cpus } from "node:os";
import { z } from "npm:zod@4.6.7";
import type { VectorWidth } from "../gpu/drivers.ts";
import { readMemory } from "./memory.ts";

/** CPU times of the two kernels that the tiles of a Gram matrix and the passes of a network spend most time in, in milliseconds. */
export interface KernelTimes {
  /** Time of a tile of the Gram matrix. */
  readonly gram_tile: number;
  /** Time of a convolution. */
  readonly convolution: number;
  /** Number of processes that measured. The least of their times are kept, since other work on the machine only adds to them. */
  readonly processes: number;
}

/** Times by vector width in bits, of the widths that have been measured. */
export type VectorTimes = Readonly<Partial<Record<VectorWidth, KernelTimes>>>;

const KERNELS = z.object({
  gram_tile: z.number().positive(),
  convolution: z.number().positive(),
  processes: z.int().positive(),
});

/** Schema of the remembered times of a CPU. */
const MEMORY = z.object({
  measured: z.string(),
  times: z.object({ 256: KERNELS.optional(), 512: KERNELS.optional() }),
});

/** Remembered times of a CPU. */
export interface VectorMemory {
  /** Key of the times in the file of measurements. */
  readonly key: string;
  /** Driver and shaders that were measured; undefined if there are no times yet. */
  readonly measured?: string;
  readonly times: VectorTimes;
}

/** Number of processes that measure a width. */
export const PROCESSES = 2;

/** Largest share of the time with 256 bits at which 512 bits are chosen: they have to gain more than noise does. */
const WORTHWHILE = 0.95;

/**
 * Chooses the vector width: the two are tried in turns, the driver's own first, until each has been measured by enough processes. Then it
 * chooses 512 bits where they are clearly faster, by the geometric mean over both kernels.
 */
export function chooseVectorWidth({ 256: narrow, 512: wide }: VectorTimes): VectorWidth {
  const [narrowCount, wideCount] = [narrow, wide].map((times) => times?.processes ?? 0);
  if (!narrow || !wide || Math.min(narrowCount, wideCount) < PROCESSES) {
    return wideCount < narrowCount ? 512 : 256;
  }
  const ratio = (name: "gram_tile" | "convolution") => wide[name] / narrow[name];
  return Math.sqrt(ratio("gram_tile") * ratio("convolution")) < WORTHWHILE ? 512 : 256;
}

/** Reads the remembered times of this machine's CPU; undefined where it is known to have no 512-bit vectors, and so no choice. */
export async function recallVectors(): Promise<VectorMemory | undefined> {
  const cpu = describeWideCpu(readModel(), await readSystemFile("/proc/cpuinfo"));
  if (cpu === undefined) return undefined;
  const key = `vectors; ${cpu}; Deno ${Deno.version.deno}`;
  const remembered = MEMORY.safeParse((await readMemory())[key]);
  return { key, ...remembered.success ? remembered.data : { times: {} } };
}

/**
 * Returns the model of a CPU that may have 512-bit vectors; undefined where it is known to have none. Where Linux's description of it may not
 * be read, they are tried: a CPU without them computes the same with two 256-bit vectors.
 */
export function describeWideCpu(model: string | undefined, cpuinfo?: string): string | undefined {
  const isNarrow = cpuinfo !== undefined && !/^flags\s*:.*\bavx512f\b/m.test(cpuinfo);
  return isNarrow ? undefined : model;
}

/** Reads the CPU's model, on x86-64 and with the permission to read it; undefined elsewhere. */
function readModel(): string | undefined {
  if (Deno.build.arch !== "x86_64") return undefined;
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "cpus" });
  return state === "granted" ? cpus()[0]?.model : undefined;
}

/** Reads a file in which Linux describes the machine or the process; undefined where there is none, or without the permissions: Deno requires all. */
export async function readSystemFile(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}
