/**
 * Seeded random numbers: the same seed gives the same numbers on every machine.
 *
 * @module
 */
import { uniformFloat32 } from "npm:pure-rand@8.4.2/distribution/uniformFloat32";
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import { mersenne, mersenneFromState } from "npm:pure-rand@8.4.2/generator/mersenne";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";

/**
 * Streams of random numbers: each use of a seed has its own stream, so that no two uses draw the same numbers.
 *
 * A stream's number never changes, since results depend on it; a new stream takes the next free number above 0.
 */
export const STREAMS = {
  /** Samples of a subset that is drawn class by class. */
  stratified: -3,
  /** Samples that get a wrong label, and the labels. */
  labelNoise: -2,
  /** Random filters of sketched rows; a substream for each layer, by its name. */
  sketch: -1,
  trainingDigits: 0,
  /** Initial weights of a network. */
  parameters: 1,
  /** Order of the samples in each epoch. */
  order: 2,
  /** Samples that are kept at random. */
  keptSamples: 3,
  dropout: 4,
  testDigits: 5,
  augmentation: 6,
  /** Order of samples of equal score, of which only some are kept. */
  ties: 7,
  /** Inputs on which no result depends: of timed launches, of benches and of tests. */
  trials: 8,
  /** Folds that a data set is divided into. */
  folds: 9,
  /** Patches of pictures that the filters of a network are made from. */
  patches: 10,
  /** Samples of each subset. */
  subsets: 1 << 20,
  /** Samples on which a sketch's error is measured. */
  sketchError: 0x5a3b1e,
  /** Samples of a head cluster that are removed; a substream for each head, from 0 on. */
  heads: 0x68656164,
} as const;

/** One of the {@linkcode STREAMS}. */
export type Stream = typeof STREAMS[keyof typeof STREAMS];

/**
 * Creates a Mersenne twister for one use of a seed.
 *
 * Its state is made from 32 bits, so that two streams of different large seeds may coincide by chance; those of seeds below 10,000 do not.
 *
 * @param seed integer in 0..2^32-1
 * @param substream integer that tells several uses of one stream apart
 * @throws {RangeError} if the seed is out of range
 */
export function createGenerator(seed: number, stream: Stream, substream?: number): RandomGenerator {
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new RangeError(
      `Cannot draw random numbers: got seed ${seed}, need an integer from 0 to ${2 ** 32 - 1}`,
    );
  }
  const key = Math.imul(seed, 0x9e3779b1) ^ scatter(stream);
  return mersenne(substream === undefined ? key : key ^ scatter(substream));
}

/**
 * Restores a generator from the state that another one's `getState` returned.
 *
 * @throws {Error} if it is no state of a generator.
 */
export function restoreGenerator(state: readonly number[]): RandomGenerator {
  return mersenneFromState(state);
}

/** Hashes a 32-bit integer, such that no two have the same hash and neighbours have unlike ones. */
function scatter(stream: number): number {
  return Math.imul(stream + 1, 0x85ebca6b);
}

/** Draws `count` numbers uniformly from [-bound, bound). */
export function drawUniform(
  generator: RandomGenerator,
  count: number,
  bound: number,
): Float32Array<ArrayBuffer> {
  return new Float32Array(count).map(() => (2 * uniformFloat32(generator) - 1) * bound);
}

/** Draws a permutation of 0 .. count - 1 (Fisher-Yates shuffle). */
export function drawPermutation(
  generator: RandomGenerator,
  count: number,
): Int32Array<ArrayBuffer> {
  const order = new Int32Array(count).map((_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = uniformInt(generator, 0, i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
