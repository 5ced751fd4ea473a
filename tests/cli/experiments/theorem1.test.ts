/** The distance that theorem 1 bounds, worked out by hand. @module */
import assert from "node:assert/strict";
import { measureDistances } from "../../../cli/experiments/theorem1/measure.ts";

Deno.test("distances between kappa I and the eNTK are means over pairs of different samples, by their labels", () => {
  // three samples, of labels 0, 0 and 1; two classes
  const blocks = [
    [9, 9, 9, 9],
    [2, 1, 2, 4], // samples 0 and 1: |K| = 5
    [0, 3, 4, 0], // samples 0 and 2: |K| = 5
    [0, 0, 0, 8], // samples 1 and 0: |K| = 8
    [9, 9, 9, 9],
    [1, 0, 0, 0], // samples 1 and 2: |K| = 1
    [0, 3, 4, 0], // samples 2 and 0
    [2, 0, 0, 0], // samples 2 and 1: |K| = 2
    [9, 9, 9, 9],
  ];
  const kernel = [
    9,
    2,
    /**/ 0, //  |diag(2) - K| = |0, -1, -2, -2| = 3
    0,
    9,
    /**/ 1, //  |0 - K| = 8; |diag(1) - K| = 1
    0,
    2,
    /**/ 9, //  |0 - K| = 5; |diag(2) - K| = 2
  ];
  const distances = measureDistances(kernel, Float32Array.from(blocks.flat()), [0, 0, 1], 2);
  assert.deepEqual(distances, {
    "one label": {
      absolute: (3 + 8) / 2,
      relative: (3 / 5 + 1) / 2,
      relativeSquare: (0.6 ** 2 + 1) / 2,
    },
    // pairs (0, 2), (1, 2), (2, 0), (2, 1)
    "two labels": { absolute: (5 + 1 + 5 + 2) / 4, relative: 1, relativeSquare: 1 },
  });
});
