/**
 * Stratified subsets of a data set: samples drawn class by class, in proportion to the classes' sizes.
 *
 * @module
 */
import { checkKeys } from "../options.ts";
import { type Dataset, takeSamples } from "./dataset.ts";
import { createGenerator, drawPermutation, STREAMS } from "./random.ts";

/**
 * Draws `size` samples class by class, in proportion to the classes' sizes, in the order of the data set. The result's `indices` are those in
 * the whole split.
 *
 * Each class's share is rounded by largest remainder, ties to the lower class. A class whose share is below one sample still gets one, unless
 * `size` is below the number of classes with samples. The draw depends on labels, size and seed alone; for `size` N it returns the data set
 * itself.
 *
 * @param options.seed integer in 0..2^32-1; 0 by default
 * @throws {RangeError} when `size` is not an integer in 1..N
 * @throws {TypeError} when `options` is no object, or has an unknown key
 */
export function drawStratified(
  data: Dataset,
  size: number,
  options: { readonly seed?: number } = {},
): Dataset {
  checkKeys<{ readonly seed?: number }>(`draw samples of ${data.name}`, options, { seed: true }, {
    renamed: { sampleSeed: "seed" },
  });
  const { seed = 0 } = options;
  const count = data.labels.length;
  if (!Number.isInteger(size) || size < 1 || size > count) {
    throw new RangeError(
      `Cannot take ${size} samples of ${data.name} (${data.split}): it holds ${count}, ` +
        `need an integer in 1..${count}`,
    );
  }
  if (size === count) return data;
  const members = groupByLabel(data.labels);
  const generator = createGenerator(seed, STREAMS.stratified);
  const drawn = apportion(members.map(({ length }) => length), size).flatMap((wanted, i) => {
    const own = members[i];
    return [...drawPermutation(generator, own.length).subarray(0, wanted)].map((at) => own[at]);
  });
  return takeSamples(data, Int32Array.from(drawn).sort());
}

/** Groups samples by class, in the order of increasing labels; classes without samples are left out. */
function groupByLabel(labels: Int32Array): number[][] {
  const groups = new Map<number, number[]>();
  for (const [sample, label] of labels.entries()) {
    const group = groups.get(label);
    if (group) group.push(sample);
    else groups.set(label, [sample]);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, samples]) => samples);
}

/**
 * Apportions `size` samples to classes in proportion to their counts, none of which is 0. It computes in integers, so that no rounding decides a
 * tie.
 */
function apportion(counts: readonly number[], size: number): number[] {
  let proportional = [...counts.keys()];
  let [left, total] = [size, counts.reduce((sum, count) => sum + count, 0)];
  const shares = counts.map(() => 0);
  while (size >= counts.length) {
    const small = proportional.filter((i) => left * counts[i] < total);
    if (small.length === 0) break;
    for (const i of small) {
      shares[i] = 1;
      total -= counts[i];
    }
    // with fewer samples left, the share of another class may now be below one
    left -= small.length;
    proportional = proportional.filter((i) => shares[i] === 0);
  }
  for (const i of proportional) shares[i] = Math.floor(left * counts[i] / total);
  const remainders = counts.map((count) => left * count % total);
  const rest = left - proportional.reduce((sum, i) => sum + shares[i], 0);
  const byRemainder = proportional.toSorted((a, b) => remainders[b] - remainders[a] || a - b);
  for (const i of byRemainder.slice(0, rest)) shares[i]++;
  return shares;
}
