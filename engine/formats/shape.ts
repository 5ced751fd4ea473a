/** Shapes of row-major arrays. @module */

import { z } from "npm:zod@4.6.7";

/** Dimensions of an array at most, as NumPy has it. */
const MOST_DIMENSIONS = 64;

/** A shape that a file tells: so many sizes from 0 on, none too large to be exact. */
export const SHAPE = z.array(z.number().int().nonnegative()).max(MOST_DIMENSIONS);

/** Number of elements of an array of this shape; 1 for the shape `[]` of a scalar. */
export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
