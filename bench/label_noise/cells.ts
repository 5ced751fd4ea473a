/**
 * Cells of the bench of wrong labels: data sets with wrong labels that the bench itself gives them.
 *
 * @module
 */
import { type Dataset, drawDigits, drawStratified, flipLabels, loadDataset } from "../../mod.ts";

/** A data set, the kind and share of its wrong labels, and its size. */
export interface Cell {
  readonly data: "mnist" | "digits" | "cifar10";
  /** `symmetric`: another class, each as likely; `pairwise`: always the next class. */
  readonly noise: "symmetric" | "pairwise";
  readonly share: number;
  readonly size: number;
}

/** Every cell: the small ones first, and every data set before the next kind of wrong labels. */
export const CELLS: readonly Cell[] = [800, 6000].flatMap((size) =>
  [0.1, 0.02].flatMap((share) =>
    (["symmetric", "pairwise"] as const).flatMap((noise) =>
      (["mnist", "digits", "cifar10"] as const).map((data) => ({ data, noise, share, size }))
    )
  )
);

/** Seeds that methods are chosen on. */
export const CHOOSING_SEEDS: readonly number[] = [0, 1, 2];

/** Seeds that the chosen method is judged on, once. */
export const JUDGING_SEEDS: readonly number[] = [3, 4];

/** A data set with wrong labels, and the right ones. */
export interface Noisy {
  readonly data: Dataset;
  readonly truth: Int32Array;
}

/** Names a cell, as `mnist symmetric 10 % of 800`. */
export function nameCell({ data, noise, share, size }: Cell): string {
  return `${data} ${noise} ${Math.round(100 * share)} % of ${size}`;
}

/**
 * Draws a cell's samples and gives some of them wrong labels. Samples of the judging seeds come from the test split, of which no other seed sees
 * any.
 */
export async function drawCell({ data, noise, share, size }: Cell, seed: number): Promise<Noisy> {
  const split = JUDGING_SEEDS.includes(seed) ? "test" : "train";
  const whole = data === "digits"
    ? drawDigits(split, { size: 4 * size, seed: 0 })
    : await loadDataset(data, split);
  const right = drawStratified(whole, size, { seed });
  const { data: flipped, flipped: wrong } = flipLabels(right, share, seed);
  if (noise === "symmetric") return { data: flipped, truth: right.labels };
  const labels = right.labels.slice();
  for (const sample of wrong) labels[sample] = (labels[sample] + 1) % right.classes;
  return { data: { ...right, labels }, truth: right.labels };
}
