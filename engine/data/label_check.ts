/** What every function that is given labels asks of them. @module */

/**
 * The first label that is no class.
 *
 * @param classes number of classes; without it every integer from 0 on is one
 * @returns its index, or -1
 */
export function findBadLabel(labels: ArrayLike<number>, classes = Infinity): number {
  for (let i = 0; i < labels.length; i++) {
    if (!(Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < classes)) return i;
  }
  return -1;
}
