/**
 * Checks that a matrix can be a kernel of samples with themselves, of products `phi . phi'`: it is symmetric, and its diagonal is not negative.
 *
 * @module
 */
import { DataError } from "../errors.ts";

/** Largest asymmetry that rounding in another program may leave, relative to the largest entry. */
const ASYMMETRY = 1e-4;

/**
 * Checks the diagonal, `[N]`.
 *
 * @throws {DataError} if a self-similarity is negative; the message names the first.
 */
export function checkDiagonal(name: string, diagonal: Float32Array | Float64Array): void {
  const bad = diagonal.findIndex((value) => value < 0);
  if (bad < 0) return;
  throw new DataError(
    `Cannot use ${name}: got ${
      diagonal[bad]
    } at [${bad}, ${bad}], need a diagonal of at least 0, as products of samples with themselves are`,
  );
}

/**
 * Compares two entries that mirror each other at the diagonal.
 *
 * @param value entry at [row, column]
 * @param other entry at [column, row]
 * @param largest largest absolute value of the whole kernel
 * @throws {DataError} if the two differ by more than rounding.
 */
export function checkPair(
  name: string,
  row: number,
  column: number,
  value: number,
  other: number,
  largest: number,
): void {
  if (Math.abs(value - other) <= ASYMMETRY * largest) return;
  throw new DataError(
    `Cannot use ${name}: got ${value} at [${row}, ${column}] but ${other} at [${column}, ${row}], need a symmetric matrix`,
  );
}
