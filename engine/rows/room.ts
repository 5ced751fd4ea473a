/**
 * What the machine has room for.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import { BudgetError, DeviceError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { formatMebibytes } from "../sizes.ts";
import { type JobPlan, type JobRequest, planJob } from "./job.ts";

/** Share of the free memory that is taken where nobody says how much. */
const SHARE = 0.8;

/** What the process may hold where nobody says, together with a device that shares its memory: four fifths of the free memory. */
export function measureFreeMemory(): number {
  if (!isAllowed("systemMemoryInfo")) return Infinity;
  // whole MiB, which messages print
  return 2 ** 20 * Math.floor(SHARE * Deno.systemMemoryInfo().available / 2 ** 20);
}

/** Device that jobs are planned for, and its memory. */
export interface DeviceRoom {
  readonly adapter: Pick<Gpu["adapter"], "isFallback">;
  readonly memory: Pick<Gpu["memory"], "roomBytes" | "bytes" | "shortage">;
  readonly operandStorage: Gpu["operandStorage"];
}

/** Job whose room follows from the device, the disk and a budget. */
export type PlannedJob = Omit<
  JobRequest,
  "hostBytes" | "deviceBytes" | "usedBytes" | "fileBytes" | "isCopied"
>;

/**
 * Plans a job for what a device, the process and the disk have room for.
 *
 * An adapter that computes on the CPU shares the process's memory: `memoryBytes` then bounds both together. A card has memory of its own, and
 * `memoryBytes` bounds the process. The card does not say how much it has: it is taken to have room until it refuses an allocation.
 *
 * @throws {RangeError} if the device cannot bind a panel or an image.
 * @throws {BudgetError} if the budget is too small for a panel and an image at a time; it says what is enough.
 * @throws {DeviceError} if the device refused an allocation, and has no room for a panel and an image at a time.
 */
export function planWithin(
  { adapter, memory, operandStorage }: DeviceRoom,
  { memoryBytes, ...request }: PlannedJob,
): JobPlan {
  try {
    return planJob({
      ...request,
      ...adapter.isFallback ? { memoryBytes } : { hostBytes: memoryBytes },
      deviceBytes: memory.roomBytes,
      usedBytes: memory.bytes,
      isCopied: operandStorage === "texture",
      fileBytes: measureFreeDisk(),
    });
  } catch (error) {
    const { shortage } = memory;
    if (!(error instanceof BudgetError && error.owner === "device" && shortage)) throw error;
    throw new DeviceError(
      `Cannot plan ${request.count} rows of ${request.layout.length} numbers: got ${shortage.state}, need ${
        formatMebibytes(error.needBytes)
      } there; close what else uses the device, leave layers out, or sketch the rows`,
      { cause: shortage },
    );
  }
}

/** Bytes that are free where temporary files are made; no bound where the system does not say. */
export function measureFreeDisk(): number {
  if (!isAllowed("statfs")) return Infinity;
  try {
    const { bavail, bsize } = statfsSync(Deno.env.get("TMPDIR") ?? "/tmp");
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}

/** Whether the system may be asked; nobody is asked for the permission. */
function isAllowed(kind: string): boolean {
  const query = { name: "sys", kind } as Deno.PermissionDescriptor;
  return Deno.permissions.querySync(query).state === "granted";
}
