/**
 * What the machine has room for.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import type { Gpu } from "../gpu/device.ts";

/** Share of the free memory that is taken where nobody says how much. */
const SHARE = 0.8;

/**
 * What the process and the device may hold together where nobody says: four fifths of the free memory where they share it, on an adapter that
 * computes on the CPU. A card does not say how much it has: no bound.
 */
export function measureFreeMemory({ adapter }: Gpu): number {
  if (!adapter.isFallback || !isAllowed("systemMemoryInfo")) return Infinity;
  // whole MiB, which messages print
  return 2 ** 20 * Math.floor(SHARE * Deno.systemMemoryInfo().available / 2 ** 20);
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
