/** Functions of single elements, forward and backward, against their float64 twins over all magnitudes. @module */
import assert from "node:assert/strict";
import {
  planPointwiseLaunch,
  type PointwiseFunction,
} from "../../../engine/operations/pointwise.ts";
import { erf, pointwiseForward, pointwiseGradient } from "../../../engine/reference/pointwise.ts";
import { assertOutput, drawNumbers, type Floats, launchTwice, testGpu } from "../gpu/open.ts";

/** Largest error that is promised, relative to the exact value. */
const TOLERANCE = 1e-6;

/** Smallest magnitude that must not become 0: a factor below it may be subnormal. */
const SMALLEST = 2 ** -123;

/** Draws every magnitude from 1e-30 to 1e4 with both signs, and the neighbours of points where a function or its method changes; `fit` maps them to a domain. */
function sweep(count: number, fit: (x: number) => number): Floats {
  const [exponents, near] = [drawNumbers(1, count), drawNumbers(2, count)];
  const corners = [0.3466, 0.5, 1, 1.2785, 3, 6, 9.3, 20, 50, 88, 90, 104].flatMap((x) =>
    [-4, -1, 0, 1, 4].map((ulps) => x * (1 + ulps * 2 ** -23))
  );
  const all = [
    ...exponents.map((e, i) => (i % 2 ? 1 : -1) * 10 ** (17 * e - 13)),
    ...near.map((x) => 15 * x),
    ...near.map((x) => 1 + x / 1000),
    ...corners.flatMap((x) => [x, -x]),
  ];
  return Float32Array.from([...all, 0], fit);
}

/** Domain where neither a function nor its slope leaves float32. */
const DOMAINS: Readonly<Record<string, (x: number) => number>> = {
  exponential: (x) => Math.min(x, 88),
  logarithm: (x) => Math.max(Math.abs(x), 1e-30),
  root: (x) => Math.max(Math.abs(x), 1e-30),
  reciprocal: (x) => Math.sign(x) * Math.max(Math.abs(x), 1e-15) || 1e-15,
  power: (x) => Math.max(1e-4, Math.min(Math.abs(x), 1e4)),
};

const functions: [name: PointwiseFunction, a?: number, b?: number][] = [
  ["affine", -1.5, 0],
  ["absolute"],
  ["square"],
  ["root"],
  ["reciprocal"],
  ["exponential"],
  ["logarithm"],
  ["clip", -0.75, 1.25],
  ["leaky", 0.01],
  ["elu", 0.75],
  ["relu6"],
  ["hardSigmoid"],
  ["hardSwish"],
  ["sigmoid"],
  ["silu"],
  ["softplus"],
  ["erf"],
];

/** Sums the absolute values of the terms of a function's gradient or value where they cancel. */
function measureTerms(name: string, x: number, exact: number): number {
  const s = 1 / (1 + Math.exp(-x));
  if (name === "silu" && Math.abs(x + 1.2785) < 0.5) return s + Math.abs(x) * s * (1 - s);
  if (name === "hardSwish" && Math.abs(x) < 4) return 1;
  return Math.abs(exact);
}

for (const [name, a = 0, b = 0] of functions) {
  for (const extra of [0, 1]) {
    testGpu(
      `${name} and its gradient are off by 1e-6 of themselves at most: by ${
        extra ? "vec4s" : "scalars"
      }`,
      async (gpu) => {
        const all = sweep(4_000, DOMAINS[name] ?? ((x) => x));
        const x = all.subarray(0, all.length - (all.length + extra + 3) % 4);
        assert.equal(x.length % 4 === 0, extra === 1);
        const [shape, settings] = [[x.length], { a: Math.fround(a), b: Math.fround(b) }];
        const run = async (isGradient: boolean, deltas: Floats) => {
          const { kernel, params, workgroups } = planPointwiseLaunch(
            name,
            settings,
            x.length,
            isGradient,
          );
          const contents = { inputs: x, deltas, outputs: { unfilled: x.length } };
          return (await launchTwice(gpu, kernel, params, contents, workgroups)).outputs;
        };
        const toBounds = (scale: (i: number) => number) => (i: number) =>
          TOLERANCE * scale(i) + SMALLEST;
        const y = pointwiseForward(name, { shape, data: x }, settings.a, settings.b).data;
        assertOutput(
          await run(false, x),
          y,
          toBounds((i) => Math.abs(y[i])),
          name,
        );
        const dy = drawNumbers(3, x.length);
        const numbers = { shape, data: x };
        const dx = pointwiseGradient(name, numbers, { shape, data: dy }, settings.a, settings.b)
          .data;
        assertOutput(
          await run(true, dy),
          dx,
          toBounds((i) => Math.abs(dy[i]) * measureTerms(name, x[i], dx[i] / dy[i])),
          `gradient of ${name}`,
        );
      },
    );
  }
}

for (const exponent of [-7.3, -3, -1.5, 0.1, 1 / 3, 1.7, 3, 5, 8]) {
  testGpu(`power: x^${exponent} is off by 1e-6 of itself at most`, async (gpu) => {
    const isWhole = Number.isInteger(exponent);
    const fitted = sweep(2_000, DOMAINS.power);
    const x = isWhole ? fitted.map((value, i) => i % 2 ? value : -value) : fitted;
    const a = Math.round(exponent * 256) / 256;
    const b = Math.fround(exponent - a);
    const c = !isWhole ? 0 : exponent % 2 === 0 ? 1 : -1;
    const launch = planPointwiseLaunch("power", { a, b, c }, x.length, false);
    const contents = { inputs: x, deltas: x, outputs: { unfilled: x.length } };
    const { outputs } = await launchTwice(
      gpu,
      launch.kernel,
      launch.params,
      contents,
      launch.workgroups,
    );
    const y = pointwiseForward("power", { shape: [x.length], data: x }, a, b).data;
    assertOutput(outputs, y, (i) => TOLERANCE * Math.abs(y[i]) + SMALLEST, "power");
  });
}

testGpu("a NaN stays one, and infinities and zeros come to what PyTorch gives", async (gpu) => {
  const inputs = Float32Array.of(NaN, Infinity, -Infinity, 0);
  const expected: [PointwiseFunction, number[], { a?: number; b?: number; c?: number }?][] = [
    ["exponential", [NaN, Infinity, 0, 1]],
    ["logarithm", [NaN, Infinity, NaN, -Infinity]],
    ["root", [NaN, Infinity, NaN, 0]],
    ["power", [NaN, Infinity, -Infinity, 0], { a: 3, c: -1 }],
    ["power", [NaN, 0, 0, Infinity], { a: -2, c: 1 }],
    ["clip", [NaN, 2, -1, 0], { a: -1, b: 2 }],
    ["elu", [NaN, Infinity, -2, 0], { a: 2 }],
    ["relu6", [NaN, 6, 0, 0]],
    ["sigmoid", [NaN, 1, 0, 0.5]],
    ["silu", [NaN, Infinity, 0, 0]],
    ["softplus", [NaN, Infinity, 0, Math.fround(Math.LN2)]],
    ["erf", [NaN, 1, -1, 0]],
  ];
  for (const [name, values, settings = {}] of expected) {
    const { kernel, params, workgroups } = planPointwiseLaunch(name, settings, 4, false);
    const contents = { inputs, deltas: inputs, outputs: { unfilled: 4 } };
    const { outputs } = await launchTwice(gpu, kernel, params, contents, workgroups);
    // subnormal numbers and -0 count as 0
    const normal = [...outputs.values].map((value) => Math.abs(value) < 2 ** -126 ? 0 : value);
    assert.deepEqual(normal, values, name);
  }
});

Deno.test("the twin of the error function has the digits of tables", () => {
  // DLMF 7.2.1, computed to 20 digits
  const known = [[1e-6, 1.1283791670951362e-6], [0.5, 0.5204998778130465], [
    2,
    0.9953222650189527,
  ], [5, 0.9999999999984626]];
  for (const [x, value] of known) {
    assert.ok(Math.abs(erf(x) / value - 1) < 1e-14, `${x}: ${erf(x)}`);
    assert.equal(erf(-x), -erf(x));
  }
});
