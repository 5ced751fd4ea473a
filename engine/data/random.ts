/**
 * Seeded random numbers: the same seed gives the same numbers everywhere.
 *
 * @module
 */
import { uniformFloat32 } from "npm:pure-rand@8.4.2/distribution/uniformFloat32";
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import { mersenne, mersenneFromState } from "npm:pure-rand@8.4.2/generator/mersenne";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";

/**
 * What random numbers are drawn for: each use of a seed has a stream of its own, so that none repeats the numbers of another.
 *
 * A number that has been used stays, since results follow from it; a new stream takes the next free one above 0.
 */
export const STREAMS = {
  /** Samples of a part that is drawn class by class. */
  stratified: -3,
  /** Which samples get a wrong label, and which one. */
  labelNoise: -2,
  /** Filters of sketched rows; a substream for each layer, by its name. */
  sketch: -1,
  trainingDigits: 0,
  /** First weights of a network. */
  parameters: 1,
  /** Order of the samples in each epoch. */
  order: 2,
  /** Samples that are kept at random. */
  keptSamples: 3,
  dropout: 4,
  testDigits: 5,
  augmentation: 6,
  /** Which samples of equal score are kept. */
  ties: 7,
  /** Numbers on which no result depends: of launches that are timed, of benches and of tests. */
  trials: 8,
  /** Samples of each subset. */
  subsets: 1 << 20,
  /** Samples on which the error of a sketch is measured. */
  sketchError: 0x5a3b1e,
  /** Which samples of a head cluster are removed; a substream for each head, from 0 on, of which this number is far away. */
  heads: 0x68656164,
} as const;

/** One of the {@linkcode STREAMS}. */
export type Stream = typeof STREAMS[keyof typeof STREAMS];

/**
 * A Mersenne twister for one use of a seed.
 *
 * It begins from 32 bits, so that two uses of different large seeds may meet by chance; of seeds below 10,000 no two do.
 *
 * @param seed integer in 0..2^32-1
 * @param substream integer that tells uses of one stream apart, where there are several
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
 * The generator that goes on where another one's `getState` found it.
 *
 * @throws {Error} if it is no state of one.
 */
export function restoreGenerator(state: readonly number[]): RandomGenerator {
  return mersenneFromState(state);
}

/** Neighbouring integers to integers that have nothing in common; no two to the same. */
function scatter(stream: number): number {
  return Math.imul(stream + 1, 0x85ebca6b);
}

/** `count` numbers drawn uniformly from [-bound, bound). */
export function drawUniform(
  generator: RandomGenerator,
  count: number,
  bound: number,
): Float32Array<ArrayBuffer> {
  return new Float32Array(count).map(() => (2 * uniformFloat32(generator) - 1) * bound);
}

/** 0 .. count - 1 in a random order (Fisher and Yates). */
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
