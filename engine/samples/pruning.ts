/**
 * Selection of the samples to keep (sections 4.2 and 4.3 of the paper).
 *
 * Every function returns the indices of the K kept samples, `[K]` i32, in increasing order.
 *
 * @module
 */
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { createGenerator, drawPermutation, STREAMS } from "../data/random.ts";
import { countShare } from "../share.ts";
import { checkNumber, describeValue } from "../options.ts";
import type { Clusters } from "./fpc.ts";

/**
 * Drops the samples that a boolean mask flags.
 *
 * @param flags mask `[N]`, 1 or true where flagged and 0 or false elsewhere
 * @returns indices of the other samples, `[K]` i32, increasing
 * @throws {RangeError} if an element is anything else, as where these are indices.
 */
export function dropFlagged(flags: ArrayLike<number | boolean>): Int32Array<ArrayBuffer> {
  const bad = Array.from(flags).findIndex((flag) => ![0, 1, false, true].includes(flag));
  if (bad >= 0) {
    throw new RangeError(
      `Cannot drop flagged samples: got flag ${describeValue(flags[bad])} for sample ${bad}, ` +
        "need 0 or 1 for each sample, which are no indices",
    );
  }
  return Int32Array.from(Array.from(flags).keys().filter((i) => !flags[i]));
}

/**
 * Removes a random share of the samples of the head clusters, rounded down for each head. Samples that were not clustered are not kept.
 *
 * @returns indices of the kept samples, `[K]` i32, increasing
 * @throws {RangeError} if the share is outside [0, 1].
 */
export function pruneHeads(
  { assignment, heads }: Pick<Clusters, "assignment" | "heads">,
  share: number,
  seed = 0,
): Int32Array<ArrayBuffer> {
  checkShare(share);
  const members = heads.map((head) =>
    [...assignment.keys()].filter((sample) => assignment[sample] === head)
  );
  const removed = members.flatMap((samples, i) =>
    choose(samples, countShare(share, samples.length), createGenerator(seed, STREAMS.heads, i))
  );
  const drop = new Set(removed);
  return Int32Array.from(
    assignment.keys().filter((sample) => assignment[sample] >= 0 && !drop.has(sample)),
  );
}

/**
 * Keeps the `size` samples of the highest scores, which may be infinite; of equal scores at the border it draws at random.
 *
 * @returns indices of the kept samples, `[size]` i32, increasing
 * @throws {RangeError} if `size` is not an integer from 1 to the number of scores, or a score is NaN or no number.
 */
export function keepHighest(
  scores: ArrayLike<number>,
  size: number,
  seed = 0,
): Int32Array<ArrayBuffer> {
  checkSize(scores.length, size, "the highest scores");
  const bad = Array.from(scores).findIndex((score) =>
    typeof score !== "number" || Number.isNaN(score)
  );
  if (bad >= 0) {
    throw new RangeError(
      `Cannot keep the highest scores: got ${
        describeValue(scores[bad])
      } for sample ${bad}, need numbers`,
    );
  }
  const drawn = drawPermutation(createGenerator(seed, STREAMS.ties), scores.length);
  // compared, not subtracted: infinite scores have no difference
  drawn.sort((a, b) => Number(scores[b] > scores[a]) - Number(scores[b] < scores[a]));
  return drawn.slice(0, size).sort();
}

/**
 * Keeps `size` of `count` samples at random.
 *
 * @returns indices of the kept samples, `[size]` i32, increasing
 * @throws {RangeError} if `size` is not an integer from 1 to `count`.
 */
export function keepRandom(count: number, size: number, seed = 0): Int32Array<ArrayBuffer> {
  checkSize(count, size, "random samples");
  const generator = createGenerator(seed, STREAMS.keptSamples);
  return Int32Array.from(choose([...Array(count).keys()], size, generator)).sort();
}

function choose(samples: readonly number[], size: number, generator: RandomGenerator): number[] {
  const order = drawPermutation(generator, samples.length);
  return [...order.subarray(0, size)].map((i) => samples[i]);
}

function checkSize(count: number, size: number, what: string): void {
  if (!(Number.isInteger(size) && size >= 1 && size <= count)) {
    throw new RangeError(
      `Cannot keep ${what}: got ${describeValue(size)}, need an integer from 1 to ${count}`,
    );
  }
}

function checkShare(share: number): void {
  const isShare = (value: number) => value >= 0 && value <= 1;
  checkNumber("prune heads", "share", share, isShare, "a number from 0 to 1");
}
