/**
 * How well a score ranks wrong labels before right ones.
 *
 * @module
 */

/** Quality of a ranking. */
export interface Quality {
  /** Mean of the precision at each wrong label, the most suspicious first: 1 if all wrong labels come first. */
  readonly averagePrecision: number;
  /** Share of wrong labels among the first 5 % of the samples, and share of the wrong labels that are among them. */
  readonly precision5: number;
  readonly recall5: number;
  /** The same of the first 10 %. */
  readonly precision10: number;
  readonly recall10: number;
}

/** Measures the quality of scores, higher for what is more suspicious; ties keep the order of the samples. */
export function measureQuality(
  scores: ArrayLike<number>,
  isWrong: readonly boolean[],
): Quality {
  const order = [...isWrong.keys()].sort((a, b) => scores[b] - scores[a] || a - b);
  const wrong = isWrong.filter(Boolean).length;
  let found = 0;
  let sum = 0;
  order.forEach((sample, rank) => {
    if (isWrong[sample]) sum += ++found / (rank + 1);
  });
  const countFirst = (share: number) => {
    const length = Math.round(share * order.length);
    const hits = order.slice(0, length).filter((sample) => isWrong[sample]).length;
    return [hits / length, hits / wrong];
  };
  const [precision5, recall5] = countFirst(0.05);
  const [precision10, recall10] = countFirst(0.1);
  return { averagePrecision: sum / wrong, precision5, recall5, precision10, recall10 };
}
