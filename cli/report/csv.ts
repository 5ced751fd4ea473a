/**
 * Tables as CSV (RFC 4180, lines ended by a line feed).
 *
 * @module
 */

/** Value of a cell; `null` is an empty one. */
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

/** First characters that make a spreadsheet take a text for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/**
 * Quotes a cell. A text that a spreadsheet would compute gets an apostrophe before it, as OWASP advises against "CSV injection"; numbers are
 * unchanged.
 */
function quote(cell: Cell): string {
  const isFormula = typeof cell === "string" && FORMULA.test(cell);
  const text = cell === null ? "" : isFormula ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
