/** Shapes of row-major arrays. @module */

import { z } from "npm:zod@4.6.7";

/** Most dimensions of an array, as in NumPy. */
const MOST_DIMENSIONS = 64;

/** Schema of a shape in a file: sizes that are integers of at least 0 and exact in float64. */
export const SHAPE = z.array(z.number().int().nonnegative()).max(MOST_DIMENSIONS);

/** Counts the elements of an array of this shape; 1 for the shape `[]` of a scalar. */
export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
