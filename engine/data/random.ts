/**
 * Seeded random numbers: the same seed gives the same numbers everywhere.
 *
 * @module
 */
import { uniformFloat32 } from "npm:pure-rand@8.4.2/distribution/uniformFloat32";
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import { mersenne } from "npm:pure-rand@8.4.2/generator/mersenne";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";

/** A Mersenne twister. `stream` separates uses of one seed, so that none repeats the numbers of another. */
export function createGenerator(seed: number, stream = 0): RandomGenerator {
  return mersenne((Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) | 0);
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
