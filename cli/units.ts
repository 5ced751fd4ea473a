/**
 * Numbers with units, as people read and write them.
 *
 * @module
 */

/** Bytes of each unit, by its name in lower case; units without an i are powers of 1000. */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  bytes: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes of `4GiB`, `512 MB`, `1,234 MiB`, `1000`; NaN for anything else. */
export function readBytes(text: string): number {
  const [, number, unit] =
    /^\s*((?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  return Math.floor(Number(number?.replaceAll(",", "")) * (UNITS[unit?.toLowerCase()] ?? NaN));
}

/** `1.5 GiB`, three digits. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(bytes) / 10)));
  return `${formatCount(bytes / 2 ** (10 * power))} ${units[power]}`;
}

/** `1,234`, or three digits below a hundred. */
export function formatCount(count: number): string {
  return count.toLocaleString("en", { maximumFractionDigits: count < 100 ? 1 : 0 });
}

/** `5 ms`, `1.2 s`, `3 min`, `2.5 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 0.1) return `${formatCount(Math.ceil(seconds * 1000))} ms`;
  if (seconds < 90) return `${formatCount(seconds)} s`;
  return seconds < 5400 ? `${formatCount(seconds / 60)} min` : `${formatCount(seconds / 3600)} h`;
}
