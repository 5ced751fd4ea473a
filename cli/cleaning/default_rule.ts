/**
 * What is kept of a data set where nobody has decided yet.
 *
 * @module
 */
import type { Copy, CopyGroup } from "../../mod.ts";

/** What may be wrong with samples, by positions. */
interface Faults {
  /** Samples whose labels look wrong. */
  readonly suspects: ArrayLike<number>;
  /** Suspects against whose labels the evidence is strong. */
  readonly strongSuspects: ArrayLike<number>;
  readonly outliers: ArrayLike<number>;
  readonly duplicates: readonly CopyGroup[];
}

/**
 * Chooses the positions to keep, in increasing order: no strong suspect, no outlier, and of each group of copies the first that is neither, rather one
 * that is no suspect at all. Of a group with two labels one is kept only if those that are no suspects have one label; otherwise none is.
 *
 * @param labels given labels, `[N]`
 */
export function chooseKept(
  labels: ArrayLike<number>,
  { suspects, strongSuspects, outliers, duplicates }: Faults,
): Int32Array<ArrayBuffer> {
  const isKept = new Uint8Array(labels.length).fill(1);
  const suspected = new Set(Array.from(suspects));
  for (const positions of [strongSuspects, outliers]) {
    for (const position of Array.from(positions)) isKept[position] = 0;
  }
  for (const group of duplicates) {
    const trusted = group.filter(({ position }) => !suspected.has(position));
    const supporters: readonly Copy[] = trusted.length > 0 ? trusted : group;
    const isDecided = new Set(supporters.map(({ position }) => labels[position])).size === 1;
    const chosen = supporters.find(({ position }) => isDecided && isKept[position] === 1);
    for (const { position } of group) isKept[position] = Number(position === chosen?.position);
  }
  return Int32Array.from(isKept.keys().filter((position) => isKept[position] === 1));
}
