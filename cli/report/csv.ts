/**
 * Tables as CSV (RFC 4180, lines ended by a line feed).
 *
 * @module
 */

/** What a cell may hold; `null` is empty. */
export type Cell = string | number | boolean | null;

/**
 * Encodes rows under the keys of the first one.
 *
 * @throws {RangeError} if there is no row.
 */
export function encodeCsv(rows: readonly Readonly<Record<string, Cell>>[]): string {
  if (rows.length === 0) throw new RangeError("Cannot encode a table: got no row, need at least 1");
  const names = Object.keys(rows[0]);
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))];
  return lines.map((line) => `${line.map(quote).join(",")}\n`).join("");
}

function quote(cell: Cell): string {
  const text = cell === null ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
