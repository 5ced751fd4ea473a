/** The check that labels are classes. @module */

/**
 * Finds the first label that is no class.
 *
 * @param classes number of classes; without it every integer of at least 0 is a class
 * @returns index of that label, or -1
 */
export function findBadLabel(labels: ArrayLike<number>, classes = Infinity): number {
  for (let i = 0; i < labels.length; i++) {
    if (!(Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < classes)) return i;
  }
  return -1;
}
