/**
 * Sizes in bytes, formatted for messages.
 *
 * @module
 */

export const MEBIBYTE = 2 ** 20;

/** Formats a size as `1,234 MiB`, rounded up. */
export function formatMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MEBIBYTE).toLocaleString("en")} MiB`;
}

/** Formats a size exactly, in the largest unit that it is a whole number of: `4 GiB`, `1 KiB`, `1,001 bytes`. */
export function formatBudget(bytes: number): string {
  const units = ["GiB", "MiB", "KiB"];
  const at = units.findIndex((_, i) => bytes > 0 && bytes % 2 ** (30 - 10 * i) === 0);
  const [size, unit] = at < 0 ? [1, "bytes"] : [2 ** (30 - 10 * at), units[at]];
  return `${(bytes / size).toLocaleString("en")} ${unit}`;
}
