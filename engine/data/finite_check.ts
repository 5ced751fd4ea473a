/** What every function that is given numbers of samples asks of them. @module */

/** The index of the first number that is NaN or infinite, or -1; any other comparison would pass such a number over in silence. */
export function findNonFinite(numbers: ArrayLike<number>): number {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return i;
  return -1;
}
