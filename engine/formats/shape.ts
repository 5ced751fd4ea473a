/** Shapes of row-major arrays. @module */

/** Number of elements of an array of this shape; 1 for the shape `[]` of a scalar. */
export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
