/** Kernel regression, left one out: against models that are fitted anew without the sample, by another algorithm. @module */
import assert from "node:assert/strict";
import { invert, predictLeftOut } from "../../../../engine/cleaning/labels/kernel_regression.ts";
import { createGenerator, drawUniform, STREAMS } from "../../../../engine/data/random.ts";

/** Solves a system by Gaussian elimination with pivots. */
function solve(matrix: readonly number[][], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  for (let k = 0; k < rows.length; k++) {
    const pivot = rows.map((row, i) => i < k ? -1 : Math.abs(row[k]));
    const at = pivot.indexOf(Math.max(...pivot));
    [rows[k], rows[at]] = [rows[at], rows[k]];
    for (let i = k + 1; i < rows.length; i++) {
      const factor = rows[i][k] / rows[k][k];
      rows[i] = rows[i].map((value, j) => value - factor * rows[k][j]);
    }
  }
  const solution = rows.map(() => 0);
  for (let k = rows.length - 1; k >= 0; k--) {
    const known = solution.reduce((sum, value, j) => j > k ? sum + rows[k][j] * value : sum, 0);
    solution[k] = (rows[k].at(-1)! - known) / rows[k][k];
  }
  return solution;
}

/** Draws a positive definite matrix `[size, size]`. */
function drawKernel(size: number, seed: number): Float64Array {
  const width = 5;
  const points = drawUniform(createGenerator(seed, STREAMS.trials), size * width, 1);
  return new Float64Array(size * size).map((_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    let square = 0;
    for (let k = 0; k < width; k++) square += (points[i * width + k] - points[j * width + k]) ** 2;
    return Math.exp(-square);
  });
}

for (const [size, classes, ridge] of [[2, 2, 0.5], [7, 3, 0.1], [23, 4, 0.01]]) {
  Deno.test(`${size} samples left out are predicted as by models fitted without them`, () => {
    const kernel = drawKernel(size, size);
    const labels = Array.from({ length: size }, (_, n) => (n * n + n % 2) % classes);
    const shares = Array.from(
      { length: classes },
      (_, c) => labels.filter((label) => label === c).length / size,
    );
    const predicted = predictLeftOut(kernel.slice(), labels, classes, ridge);
    for (let left = 0; left < size; left++) {
      const others = [...labels.keys()].filter((n) => n !== left);
      const matrix = others.map((i) =>
        others.map((j) => kernel[i * size + j] + (i === j ? ridge : 0))
      );
      for (let c = 0; c < classes; c++) {
        const weights = solve(matrix, others.map((n) => Number(labels[n] === c) - shares[c]));
        const sum = others.reduce((s, n, i) => s + weights[i] * kernel[left * size + n], shares[c]);
        const actual = predicted[left * classes + c];
        assert.ok(
          Math.abs(actual - sum) < 1e-11,
          `sample ${left}, class ${c}: ${actual}, not ${sum}`,
        );
      }
    }
  });
}

Deno.test("of samples that resemble no other, nothing is known but the shares of the classes", () => {
  const size = 12;
  const alone = new Float64Array(size * size);
  for (let n = 0; n < size; n++) alone[n * size + n] = 1;
  const labels = [...Array(size).keys()].map((n) => Number(n % 4 === 0));
  predictLeftOut(alone, labels, 2, 0.1).forEach((share, at) => {
    const expected = at % 2 === 0 ? 0.75 : 0.25;
    assert.ok(Math.abs(share - expected) < 1e-15 * size, `${share}, not ${expected}`);
  });
});

Deno.test("a matrix times its inverse is the unit matrix, and others than positive definite are refused", () => {
  const size = 13;
  const kernel = drawKernel(size, 5);
  for (let n = 0; n < size; n++) kernel[n * size + n] += 0.1;
  const inverse = kernel.slice();
  invert(inverse, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += kernel[i * size + k] * inverse[k * size + j];
      assert.ok(Math.abs(sum - Number(i === j)) < 1e-12, `[${i}, ${j}] ${sum}`);
    }
  }
  for (const matrix of [[0], [-1], [1, 2, 2, 1], [NaN]]) {
    assert.throws(() => invert(Float64Array.from(matrix), Math.sqrt(matrix.length)), {
      name: "RangeError",
      message: /need a positive definite matrix/,
    });
  }
});
