/**
 * What is kept of a data set where nobody has decided yet.
 *
 * @module
 */
import type { Copy, CopyGroup } from "../../mod.ts";

/**
 * Lets the first copy of each group that is no suspect be the one to keep; where all are, the first stays.
 *
 * @param suspects positions of the samples whose labels look wrong
 */
export function preferUnsuspected(
  groups: readonly CopyGroup[],
  suspects: ArrayLike<number>,
): CopyGroup[] {
  const suspected = new Set(Array.from(suspects));
  return groups.map((group): CopyGroup => {
    const [kept] = group;
    const better = group.find(({ position }) => !suspected.has(position));
    if (better === undefined || better === kept) return group;
    const demoted: Copy = { ...better, position: kept.position };
    return [
      { ...kept, position: better.position },
      ...group.slice(1).map((copy) => copy === better ? demoted : copy),
    ];
  });
}

/** What is not to be kept, by positions. */
interface Faults {
  /** Samples against whose labels the evidence is strong. */
  readonly suspects: ArrayLike<number>;
  readonly outliers: ArrayLike<number>;
  readonly duplicates: readonly CopyGroup[];
}

/** Chooses the positions to keep, in increasing order: no suspect, no outlier, and of each group of copies the first alone. */
export function chooseKept(
  count: number,
  { suspects, outliers, duplicates }: Faults,
): Int32Array<ArrayBuffer> {
  const isKept = new Uint8Array(count).fill(1);
  for (const [, ...others] of duplicates) for (const { position } of others) isKept[position] = 0;
  for (const positions of [suspects, outliers]) {
    for (const position of Array.from(positions)) isKept[position] = 0;
  }
  return Int32Array.from(isKept.keys().filter((position) => isKept[position] === 1));
}
