/**
 * Tests of the float64 oracle against hand-computed cases, identities that integers keep exactly, and (where LPNTK_GOLDEN names their folder) the
 * results of an independent PyTorch program.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { readNpy } from "../../../engine/formats/npy.ts";
import { decodeSafetensors } from "../../../engine/formats/safetensors.ts";
import {
  contractEntk,
  contractJacobian,
  entk,
  lpntk,
  plainCotangents,
  pntk,
  signedCotangents,
  signVector,
} from "../../../engine/reference/kernels.ts";
import { gramRows } from "../../../engine/reference/gram.ts";
import {
  biasGradient,
  convFilterGradient,
  convForward,
  convInputGradient,
  projectFactored,
  projectPatches,
  projectPlain,
} from "../../../engine/reference/convolution.ts";
import {
  computeJacobian,
  computeLogits,
  type Jacobian,
  type Layer,
  lenet5,
  lossAndGradient,
  mlp,
  type Weights,
} from "../../../engine/reference/network.ts";
import { assertClose, dotBound, UNIT_ROUNDOFF } from "../../../engine/reference/numbers.ts";
import {
  centroidCount,
  type Clusters,
  farthestPointClusters,
  farthestPointClustersPerClass,
  redundant,
  relatePairs,
  type RelationCounts,
} from "../../../engine/reference/relations.ts";
import {
  type Numbers,
  permute,
  sampleAt,
  sizeOf,
  type Tensor,
} from "../../../engine/reference/tensor.ts";

/** Small integers, whose sums and products are exact in float64 in any order. */
const smallInteger = fc.integer({ min: -9, max: 9 });

function tensor(shape: number[], data: readonly number[]): Tensor {
  assert.equal(data.length, sizeOf(shape));
  return { shape, data: Float64Array.from(data) };
}

function randomTensor(shape: number[]): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  return fc.array(smallInteger, { minLength: size, maxLength: size })
    .map((data) => tensor(shape, data));
}

function sumOfProducts(a: Numbers, b: Numbers): number {
  assert.deepEqual(a.shape, b.shape);
  return Array.from(a.data).reduce((sum, value, i) => sum + value * b.data[i], 0);
}

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0);
}

// tensor.ts

Deno.test("permuting a 2x3 matrix transposes it, and a wrong axis list is refused", () => {
  const matrix = tensor([2, 3], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(permute(matrix, [1, 0]), tensor([3, 2], [1, 4, 2, 5, 3, 6]));
  assert.throws(() => permute(matrix, [0]), RangeError);
  assert.throws(() => permute(matrix, [1, 1]), RangeError);
});

Deno.test("permuting three axes puts element (i, j, k) at (k, i, j)", () => {
  const source = tensor([2, 3, 4], Array.from({ length: 24 }, (_, index) => index));
  const { shape, data } = permute(source, [2, 0, 1]);
  assert.deepEqual(shape, [4, 2, 3]);
  for (let i = 0; i < 2; i++) {
    for (let j = 0; j < 3; j++) {
      for (let k = 0; k < 4; k++) assert.equal(data[(k * 2 + i) * 3 + j], (i * 3 + j) * 4 + k);
    }
  }
});

Deno.test("a batch gives up its samples one by one, and none beyond its end", () => {
  const batch = tensor([2, 1, 2], [1, 2, 3, 4]);
  assert.deepEqual(sampleAt(batch, 1), tensor([1, 1, 2], [3, 4]));
  assert.throws(() => sampleAt(batch, 2), RangeError);
});

// layers.ts

Deno.test("a convolution with stride 2, padding 1 and a bias gives the sums done by hand", () => {
  const x = tensor([1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const w = tensor([2, 2, 1, 1], [1, 10, 100, 1000]);
  const b = tensor([1], [0.5]);
  // Padded rows: 0 0 0 0 0 / 0 1 2 3 0 / 0 4 5 6 0 / 0 7 8 9 0 / 0 0 0 0 0; windows start at 0 and 2.
  const y = convForward({ x, w, b, stride: 2, pad: 1 });
  assert.deepEqual(y, tensor([1, 2, 2, 1], [1000.5, 3200.5, 7040.5, 9865.5]));
});

Deno.test("a convolution over two channels keeps input and output channels apart", () => {
  const x = tensor([2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
  const w = tensor([1, 2, 2, 2], [1, 10, 100, 1000, 2, 20, 200, 2000]);
  // 1*1 + 2*100 + 3*2 + 4*200 = 1007 in the first output channel, ten times that in the second.
  assert.deepEqual(
    convForward({ x, w, stride: 1, pad: 0 }),
    tensor([2, 1, 1, 2], [1007, 10070, 2219, 22190]),
  );
});

Deno.test("convolutions refuse channels and output gradients that do not fit", () => {
  const x = tensor([1, 2, 2, 1], [1, 2, 3, 4]);
  const two = tensor([1, 1, 2, 1], [1, 2]);
  const one = tensor([1, 1, 1, 1], [1]);
  const setting = { stride: 1, pad: 0 };
  assert.throws(() => convForward({ x, w: two, ...setting }), RangeError);
  assert.throws(
    () => convInputGradient({ dy: one, w: one, inputShape: x.shape, ...setting }),
    RangeError,
  );
  assert.throws(
    () => convFilterGradient({ x, dy: one, filterShape: one.shape, ...setting }),
    RangeError,
  );
});

/** A convolution with integer tensors of all the shapes it involves. */
const convolution = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 6 }),
  inputs: fc.integer({ min: 1, max: 3 }),
  outputs: fc.integer({ min: 1, max: 3 }),
  taps: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  pad: fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 4 }))),
  dilation: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  groups: fc.integer({ min: 1, max: 3 }),
}).map((sizes) => {
  const { taps, stride, dilation, height, width } = sizes;
  const [top, right, bottom, left] = sizes.pad;
  const [rows, columns] = [height + top + bottom, width + left + right].map((room, axis) =>
    Math.floor((room - 1 - (taps[axis] - 1) * dilation[axis]) / stride[axis]) + 1
  );
  return { ...sizes, pad: [top, right, bottom, left] as const, rows, columns };
}).filter(({ rows, columns }) => rows >= 1 && columns >= 1).chain((sizes) => {
  const { count, taps, inputs, outputs, stride, pad, dilation, groups } = sizes;
  return fc.record({
    x: randomTensor([count, sizes.height, sizes.width, inputs * groups]),
    w: randomTensor([...taps, inputs, outputs * groups]),
    dy: randomTensor([count, sizes.rows, sizes.columns, outputs * groups]),
    place: fc.constant({ stride, pad, dilation, groups }),
  });
});

Deno.test("both gradients of a convolution are its adjoints: dy·y = dx·x = dw·w, exactly in integers", () => {
  fc.assert(fc.property(convolution, ({ x, w, dy, place }) => {
    const y = convForward({ x, w, ...place });
    const dx = convInputGradient({ dy, w, inputShape: x.shape, ...place });
    const dw = convFilterGradient({ x, dy, filterShape: w.shape, ...place });
    assert.equal(sumOfProducts(dx, x), sumOfProducts(dy, y));
    assert.equal(sumOfProducts(dw, w), sumOfProducts(dy, y));
  }));
});

Deno.test("plain row segments give a convolution's own gradient per sample, then the sums of its deltas", () => {
  const x = tensor([2, 1, 2, 1], [1, 2, 3, 4]);
  const dy = tensor([2, 1, 2, 2], [1, 10, 2, 20, 3, 30, 4, 40]);
  const setting = { x, dy, filterShape: [1, 1, 1, 2], stride: 1, pad: 0 };
  // Sample 0: 1 (1, 10) + 2 (2, 20) = (5, 50); the deltas sum to (3, 30).
  assert.deepEqual(
    projectPlain({ ...setting, bias: true }),
    tensor([2, 4], [5, 50, 3, 30, 25, 250, 7, 70]),
  );
  assert.deepEqual(
    projectPlain({ ...setting, bias: false }),
    tensor([2, 2], [5, 50, 25, 250]),
  );
});

Deno.test("plain row segments sum over the batch to the filter and bias gradients, exactly in integers", () => {
  fc.assert(fc.property(convolution, ({ x, w, dy, place }) => {
    const rows = projectPlain({ x, dy, filterShape: w.shape, bias: true, ...place });
    const [count, length] = rows.shape;
    const totals = Array.from(
      { length },
      (_, k) => sum(Array.from({ length: count }, (_, n) => rows.data[n * length + k])),
    );
    const dw = convFilterGradient({ x, dy, filterShape: w.shape, ...place });
    assert.deepEqual(totals, [...dw.data, ...biasGradient(dy).data]);
  }));
});

Deno.test("factored row segments hold the input, a 1 for the bias, and the delta", () => {
  const x = tensor([2, 2], [1, 2, 3, 4]);
  const dy = tensor([2, 1], [5, 6]);
  assert.deepEqual(
    projectFactored({ x, dy, bias: true }),
    tensor([2, 4], [1, 2, 1, 5, 3, 4, 1, 6]),
  );
  assert.deepEqual(projectFactored({ x, dy, bias: false }), tensor([2, 3], [1, 2, 5, 3, 4, 6]));
});

Deno.test("a Gram element sums a plain and a factored segment, its magnitude their absolute products", () => {
  const a = [99, 1, -2, 3, -1, 2];
  const b = [99, 4, 5, 6, 7, -1];
  const { value, magnitude } = gramRows([a], [b, a], [
    { kind: "plain", offset: 1, length: 2 },
    { kind: "factored", offset: 3, positions: 1, inputs: 2, outputs: 1 },
  ]);
  // 1*4 - 2*5 + (3*6 - 1*7)(2*-1) = -28; 4 + 10 + (18 + 7)*2 = 64. With itself: 5 + 10*4 = 45.
  assert.deepEqual([...value], [-28, 45]);
  assert.deepEqual([...magnitude], [64, 45]);
});

Deno.test("a factored product equals the plain product of the outer products, exactly in integers", () => {
  const rows = fc.record({
    inputs: fc.integer({ min: 1, max: 4 }),
    outputs: fc.integer({ min: 1, max: 4 }),
  }).chain(({ inputs, outputs }) =>
    fc.record({ x: randomTensor([3, inputs]), dy: randomTensor([3, outputs]) })
  );
  fc.assert(fc.property(rows, ({ x, dy }) => {
    const [, inputs] = x.shape;
    const [, outputs] = dy.shape;
    const packed = projectFactored({ x, dy, bias: true });
    const factored = [0, 1, 2].map((n) => sampleAt(packed, n).data);
    const contracted = [0, 1, 2].map((n) =>
      [...sampleAt(x, n).data, 1].flatMap((a) =>
        [...sampleAt(dy, n).data].map((delta) => a * delta)
      )
    );
    assert.deepEqual(
      gramRows(factored, factored, [
        { kind: "factored", offset: 0, positions: 1, inputs: inputs + 1, outputs },
      ]),
      gramRows(contracted, contracted, [
        { kind: "plain", offset: 0, length: (inputs + 1) * outputs },
      ]),
    );
  }));
});

Deno.test("a convolution's factored product equals the plain product of its filter gradients, exactly in integers", () => {
  const filterShape = [2, 3, 2, 3];
  const [x, dy] = [randomTensor([3, 4, 5, 2]), randomTensor([3, 3, 3, 3])];
  const geometry = { filterShape, stride: 2, pad: 1 };
  fc.assert(fc.property(x, dy, fc.boolean(), (x, dy, bias) => {
    const rowsOf = (packed: Numbers) => [0, 1, 2].map((n) => sampleAt(packed, n).data);
    const factored = rowsOf(projectPatches({ x, dy, bias, ...geometry }));
    const contracted = rowsOf(projectPlain({ x, dy, bias, ...geometry }));
    const inputs = 2 * 3 * 2 + (bias ? 1 : 0);
    assert.deepEqual(
      gramRows(factored, factored, [
        { kind: "factored", offset: 0, positions: 9, inputs, outputs: 3 },
      ]).value,
      gramRows(contracted, contracted, [{ kind: "plain", offset: 0, length: 3 * inputs }]).value,
    );
  }));
});

// network.ts

/** A dense layer of two inputs and two outputs: z = (1 x0 + 2 x1 + 5, 3 x0 + 4 x1 + 6). */
const denseWeights: Weights = new Map([
  ["fc.weight", tensor([2, 2], [1, 2, 3, 4])],
  ["fc.bias", tensor([2], [5, 6])],
]);

Deno.test("a dense layer's logits and Jacobian are those done by hand, weights before bias", () => {
  const network: Layer[] = [{ kind: "flatten" }, { kind: "dense", name: "fc" }];
  const images = tensor([2, 1, 2, 1], [10, 20, 1, 2]);
  assert.deepEqual(
    computeLogits(network, denseWeights, images),
    tensor([2, 2], [55, 116, 10, 17]),
  );
  assert.deepEqual(
    computeJacobian(network, denseWeights, images).map((logits) => logits.map((z) => [...z])),
    [[[10, 20, 0, 0, 1, 0], [0, 0, 10, 20, 0, 1]], [[1, 2, 0, 0, 1, 0], [0, 0, 1, 2, 0, 1]]],
  );
});

Deno.test("flattening orders channel, row, column", () => {
  const images = tensor([1, 2, 2, 2], [0, 4, 1, 5, 2, 6, 3, 7]);
  assert.deepEqual(
    [...computeLogits([{ kind: "flatten" }], new Map(), images).data],
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
});

Deno.test("max pooling takes each 2x2 window's largest, drops an odd edge and passes gradients to the first of equals", () => {
  const pooled: Layer[] = [{ kind: "maxPool" }, { kind: "flatten" }];
  const images = tensor([1, 2, 5, 1], [1, 3, 7, 7, 9, 4, 2, 7, 7, 9]);
  assert.deepEqual([...computeLogits(pooled, new Map(), images).data], [4, 7]);

  // A 1x1 convolution in front makes the pixel that got the gradient visible: pixels are w * x + b per channel.
  const network: Layer[] = [{ kind: "conv", name: "conv", stride: 1, pad: 0 }, ...pooled];
  const weights: Weights = new Map([["conv.weight", tensor([1, 2, 1, 1], [1, 0])]]);
  const ties = tensor([1, 2, 2, 2], [5, 10, 5, 20, 5, 30, 4, 40]);
  const [[gradient]] = computeJacobian(network, weights, ties);
  assert.deepEqual([...gradient], [5, 10]);
});

Deno.test("relu's slope is 0 at 0 and below, and 1 above", () => {
  const network: Layer[] = [{ kind: "flatten" }, { kind: "dense", name: "fc" }, { kind: "relu" }];
  const weights: Weights = new Map([["fc.weight", tensor([3, 1], [-1, 0, 2])]]);
  const images = tensor([1, 1, 1, 1], [3]);
  assert.deepEqual([...computeLogits(network, weights, images).data], [0, 0, 6]);
  const [logits] = computeJacobian(network, weights, images);
  assert.deepEqual(logits.map((z) => [...z]), [[0, 0, 0], [0, 0, 0], [0, 0, 3]]);
});

Deno.test("tanh's slope is 1/cosh², the other way to write it", () => {
  const network: Layer[] = [{ kind: "flatten" }, { kind: "dense", name: "fc" }, { kind: "tanh" }];
  const weights: Weights = new Map([["fc.weight", tensor([1, 1], [0.75])]]);
  const images = tensor([1, 1, 1, 1], [1.5]);
  const [[gradient]] = computeJacobian(network, weights, images);
  const expected = 1.5 / Math.cosh(0.75 * 1.5) ** 2;
  // A dozen roundings of 2^-53, each of at most 1.5 / cosh² + 1.5 tanh² = 1.5 in size.
  assertClose(gradient, [expected], () => 12 * 1.5 * 2 ** -53, "tanh gradient");
  assertClose(
    computeLogits(network, weights, images).data,
    [1 - 2 / (Math.exp(2.25) + 1)],
    () => 12 * 2 ** -53,
    "tanh",
  );
});

Deno.test("a missing weight and an image of the wrong size are refused", () => {
  const images = tensor([1, 1, 2, 1], [1, 2]);
  const network: Layer[] = [{ kind: "flatten" }, { kind: "dense", name: "fc" }];
  assert.throws(() => computeLogits(network, new Map(), images), /fc\.weight/);
  assert.throws(
    () => computeLogits(network, denseWeights, tensor([1, 1, 1, 1], [1])),
    /got 1 inputs, need 2/,
  );
});

/** Draws multiples of `1 / denominator` in [-1, 1], the same for the same seed. */
function fractions(shape: number[], denominator: number, seed: number): Tensor {
  const numerators = fc.noBias(fc.integer({ min: -denominator, max: denominator }));
  const data = fc.sample(numerators, { numRuns: sizeOf(shape), seed }).map((k) => k / denominator);
  return tensor(shape, data);
}

/** Convolutions with and without a bias, stride and padding, pooling, relu, dense: all that is piecewise linear. */
const smallNetwork: readonly Layer[] = [
  { kind: "conv", name: "conv1", stride: 1, pad: 1 },
  { kind: "relu" },
  { kind: "maxPool" },
  { kind: "conv", name: "conv2", stride: 2, pad: 1 },
  { kind: "relu" },
  { kind: "flatten" },
  { kind: "dense", name: "fc1" },
  { kind: "relu" },
  { kind: "dense", name: "fc2" },
];

const smallImages = fractions([2, 6, 6, 2], 1024, 1);

function smallWeights(): Map<string, Tensor> {
  return new Map([
    ["conv1.weight", fractions([3, 2, 3, 3], 16, 2)],
    ["conv1.bias", fractions([3], 16, 3)],
    ["conv2.weight", fractions([4, 3, 3, 2], 16, 4)],
    ["fc1.weight", fractions([6, 16], 16, 5)],
    ["fc1.bias", fractions([6], 16, 6)],
    ["fc2.weight", fractions([3, 6], 16, 7)],
  ]);
}

/** A frozen norm, blocks whose shortcut projects and passes on, average pooling, a global average and two heads summed. */
const branchedNetwork: readonly Layer[] = [
  { kind: "conv", name: "conv1", stride: 1, pad: 1 },
  { kind: "batchNorm", name: "norm", epsilon: 0.75 },
  { kind: "relu" },
  {
    kind: "sum",
    branches: [
      [{ kind: "averagePool" }, { kind: "flatten" }, { kind: "dense", name: "head1" }],
      [
        {
          kind: "sum",
          branches: [
            [{ kind: "conv", name: "long", stride: 3, pad: 0 }, { kind: "relu" }],
            [{ kind: "conv", name: "short", stride: 3, pad: 0 }],
          ],
        },
        { kind: "sum", branches: [[], [{ kind: "conv", name: "inner", stride: 1, pad: 1 }]] },
        { kind: "globalAverage" },
        { kind: "dense", name: "head2" },
      ],
    ],
  },
];

function branchedWeights(): Map<string, Tensor> {
  return new Map([
    ["conv1.weight", fractions([2, 2, 3, 3], 16, 2)],
    ["norm.weight", tensor([2], [0.5, -1.5])],
    ["norm.bias", tensor([2], [0.25, 0.5])],
    ["head1.weight", fractions([3, 18], 16, 5)],
    ["long.weight", fractions([3, 2, 2, 2], 16, 4)],
    ["short.weight", fractions([3, 2, 1, 1], 16, 6)],
    ["short.bias", fractions([3], 16, 3)],
    ["inner.weight", fractions([3, 3, 3, 3], 16, 8)],
    ["head2.weight", fractions([3, 3], 16, 7)],
    ["norm.running_mean", tensor([2], [-0.5, 0.125])],
    ["norm.running_var", tensor([2], [0.25, 3.25])],
  ]);
}

for (
  const [name, network, weights] of [
    ["chained", smallNetwork, smallWeights()],
    ["branched", branchedNetwork, branchedWeights()],
  ] as const
) {
  Deno.test(`every element of a ${name} network's Jacobian equals the finite difference, exactly`, () => {
    // Logits are linear in each single parameter as long as no relu or pool switches, and every number here is a multiple
    // of 2^-42 well below 2^11: so differences are exact in float64, and both sides agree unless something switched.
    const step = 2 ** -16;
    const jacobian = computeJacobian(network, weights, smallImages);
    const logits = computeLogits(network, weights, smallImages).data;
    let p = 0;
    for (const [name, { data }] of weights) {
      if (name.startsWith("norm.running_")) continue; // frozen
      const gradients: number[] = [];
      for (let i = 0; i < data.length; i++, p++) {
        const [above, below] = [step, -step].map((change) => {
          data[i] += change;
          const changed = computeLogits(network, weights, smallImages).data;
          data[i] -= change;
          return [...changed].map((z, k) => (z - logits[k]) / change + 0); // + 0: no negative zeros
        });
        assert.deepEqual(above, below, `${name}[${i}] must not sit on a kink`);
        const gradient = jacobian.flatMap((sample) => sample.map((z) => z[p] + 0));
        assert.deepEqual(gradient, above, `${name}[${i}]`);
        gradients.push(...gradient);
      }
      assert.ok(gradients.some((g) => g !== 0), `${name} must matter`);
    }
    assert.equal(p, jacobian[0][0].length);
  });
}

Deno.test("average pooling drops an odd edge, and a global average keeps none", () => {
  const images = tensor([1, 2, 3, 1], [1, 2, 9, 3, 6, 9]);
  const pooled: Layer[] = [{ kind: "averagePool" }, { kind: "flatten" }];
  assert.deepEqual([...computeLogits(pooled, new Map(), images).data], [3]);
  assert.deepEqual([...computeLogits([{ kind: "globalAverage" }], new Map(), images).data], [5]);
});

Deno.test("gelu and its slope are x and 1 times the normal distribution's, from tables", () => {
  const network: Layer[] = [{ kind: "flatten" }, { kind: "dense", name: "fc" }, { kind: "gelu" }];
  const images = tensor([1, 1, 1, 1], [1]);
  // x, Phi(x), phi(x)
  const table = [
    [0, 0.5, 0.3989422804014327],
    [1, 0.8413447460685429, 0.24197072451914337],
    [-2, 0.02275013194817921, 0.05399096651318806],
    [10, 1, 7.69459862670642e-23],
  ];
  for (const [x, below, density] of table) {
    const weights: Weights = new Map([["fc.weight", tensor([1, 1], [x])]]);
    const near = (actual: ArrayLike<number>, expected: number) =>
      assertClose(actual, [expected], () => 1e-14, `at ${x}`);
    near(computeLogits(network, weights, images).data, x * below);
    near(computeJacobian(network, weights, images)[0][0], below + x * density);
  }
});

Deno.test("the loss of two logits and its gradient are those done by hand", () => {
  const network: Layer[] = [{ kind: "flatten" }, { kind: "dense", name: "fc" }];
  const weights: Weights = new Map([["fc.weight", tensor([2, 1], [0, Math.log(3)])]]);
  const images = tensor([2, 1, 1, 1], [1, -1]);
  // Softmax is (1/4, 3/4) and (3/4, 1/4); both labels 0: losses log 4 and log 4/3.
  const { loss, gradients } = lossAndGradient(network, weights, images, [0, 0]);
  assertClose([loss], [Math.log(16 / 3) / 2], () => 8 * 2 ** -53, "loss");
  // ((1/4 - 1) * 1 + (3/4 - 1) * -1) / 2 = -1/4, and the opposite for the other logit.
  assertClose(gradients.get("fc.weight")!.data, [-1 / 4, 1 / 4], () => 8 * 2 ** -53, "gradient");
});

Deno.test("the loss stays finite for logits whose exponentials do not", () => {
  const network: Layer[] = [{ kind: "flatten" }];
  const images = tensor([1, 1, 2, 1], [2000, -2000]);
  assert.equal(lossAndGradient(network, new Map(), images, [1]).loss, 4000);
});

Deno.test("the loss gradient is the mean of softmax minus one-hot times the Jacobian, per parameter", () => {
  const weights = smallWeights();
  const labels = [2, 0];
  const { gradients } = lossAndGradient(smallNetwork, weights, smallImages, labels);
  const jacobian = computeJacobian(smallNetwork, weights, smallImages);
  const logits = computeLogits(smallNetwork, weights, smallImages);
  const errors = labels.map((label, n) => {
    const exponentials = sampleAt(logits, n).data.map(Math.exp);
    const total = sum(exponentials);
    return exponentials.map((e, c) => (e / total - (c === label ? 1 : 0)) / labels.length);
  });
  const [first, second] = contractJacobian(jacobian, errors);
  let offset = 0;
  for (const [name, { shape }] of weights) {
    assert.deepEqual(gradients.get(name)!.shape, shape);
    const expected = Float64Array.from(
      { length: sizeOf(shape) },
      (_, i) => first[offset + i] + second[offset + i],
    );
    // A path has at most 200 roundings of 2^-53, and as no weight or pixel is above 1 in size the absolute products of all
    // paths to a parameter sum to less than 2^14 (the longest: 36 positions, 16 and 6 fan-outs, 3 logits).
    assertClose(gradients.get(name)!.data, expected, () => 200 * 2 ** -39, name);
    offset += expected.length;
  }
  assert.deepEqual([...gradients.keys()], [...weights.keys()]);
});

// kernels.ts

Deno.test("a sign vector is -1 but for +1 at its label, which must exist", () => {
  assert.deepEqual([...signVector(2, 4)], [-1, -1, 1, -1]);
  assert.throws(() => signVector(4, 4), RangeError);
  assert.throws(() => signVector(-1, 4), RangeError);
});

function jacobianOf(samples: number[][][]): Jacobian {
  return samples.map((logits) => logits.map((gradient) => Float64Array.from(gradient)));
}

Deno.test("eNTK, lpNTK and pNTK of two-parameter Jacobians are those done by hand", () => {
  const left = jacobianOf([[[1, 2], [3, 4]]]);
  const right = jacobianOf([[[1, 0], [0, 1]], [[10, 1], [0, 5]]]);
  assert.deepEqual(
    entk(left, right),
    tensor([1, 2, 2, 2], [1, 2, 3, 4, 12, 10, 34, 20]),
  );
  // Signs (1, -1) and (-1, 1), then (1, -1): (-1 + 2 + 3 - 4) / 2 = 0; (12 - 10 - 34 + 20) / 2 = -6.
  assert.deepEqual(lpntk(left, [0], right, [1, 0]), tensor([1, 2], [0, -6]));
  assert.deepEqual(pntk(left, right), tensor([1, 2], [5, 38]));
});

Deno.test("both lines of equation 3 agree exactly, for lpNTK and pNTK, where 1/√C is exact", () => {
  const classes = 4;
  const samples = (count: number) =>
    fc.record({
      jacobian: fc.array(
        fc.array(fc.array(smallInteger, { minLength: 3, maxLength: 3 }), {
          minLength: classes,
          maxLength: classes,
        }),
        { minLength: count, maxLength: count },
      ).map(jacobianOf),
      labels: fc.array(fc.integer({ min: 0, max: classes - 1 }), {
        minLength: count,
        maxLength: count,
      }),
    });
  fc.assert(fc.property(samples(2), samples(3), (left, right) => {
    const whole = [{ kind: "plain", offset: 0, length: 3 }] as const;
    assert.deepEqual(
      lpntk(left.jacobian, left.labels, right.jacobian, right.labels).data,
      gramRows(
        contractJacobian(left.jacobian, signedCotangents(left.labels, classes)),
        contractJacobian(right.jacobian, signedCotangents(right.labels, classes)),
        whole,
      ).value,
    );
    assert.deepEqual(
      pntk(left.jacobian, right.jacobian).data,
      gramRows(
        contractJacobian(left.jacobian, plainCotangents(2, classes)),
        contractJacobian(right.jacobian, plainCotangents(3, classes)),
        whole,
      ).value,
    );
  }));
});

// relations.ts

Deno.test("redundant is strictly more similar to some other sample, or to a later one, than to oneself", () => {
  const kappa = [
    [4, 5, 9],
    [5, 8, 8],
    [9, 8, 8],
  ].flat();
  // 0: 5 > 4. 1: 8 is not above 8. 2: 9 > 8, but towards an earlier sample.
  assert.deepEqual([...redundant(kappa, 3)], [1, 0, 1]);
  assert.deepEqual([...redundant(kappa, 3, "later")], [1, 0, 0]);
});

Deno.test("relations include their thresholds and need both quotients", () => {
  const kappa = [
    [8, 4, -4, 1, 0],
    [4, 8, 3, 4, -5],
    [-4, 3, 8, -4, 1],
    [1, 4, -4, 16, 2],
    [0, -5, 1, 2, 8],
  ].flat();
  const { counts, codes } = relatePairs(kappa, 5, { threshold: 0.5, tolerance: 0.125 });
  // 01 (.5, .5) interchangeable; 02 (-.5, -.5) and 14 (-.625, -.625) contradictory; 03 (.125, .0625), 04 and 24 (.125, .125)
  // unrelated; 12 (.375, .375), 13 (.5, .25), 23 (-.5, -.25) and 34 (.125, .25) between.
  assert.deepEqual(counts, { interchangeable: 1, contradictory: 2, unrelated: 3, between: 4 });
  assert.deepEqual(
    [...codes],
    [
      [1, 1, -1, 0, 0],
      [1, 1, 0, 0, -1],
      [-1, 0, 1, 0, 0],
      [0, 0, 0, 1, 0],
      [0, -1, 0, 0, 1],
    ].flat(),
  );
});

Deno.test("the number of centroids is the ratio's share rounded down, and at least 1", () => {
  assert.deepEqual(
    [centroidCount(0.4, 30), centroidCount(0.25, 11), centroidCount(0.1, 5)],
    [12, 2, 1],
  );
});

Deno.test("clusters of five samples are those done by hand, ties included", () => {
  const kappa = [
    [9, 1, 1, 2, 2],
    [1, 9, 3, 2, 1],
    [1, 3, 9, 2, 2],
    [2, 2, 2, 9, 5],
    [2, 1, 2, 5, 9],
  ].flat();
  // First: self-similarities tie, so 0. Then 1 (1 and 2 tie at 1): 2 moves (3 > 1), 3 stays (2 = 2), 4 stays.
  assert.deepEqual(listClusters(farthestPointClusters(kappa, 5, 2)), [[0, 1], [0, 1, 1, 0, 0]]);
  // Next 3 (3 and 4 tie at 2): 4 moves (5 > 2), 2 stays.
  assert.deepEqual(listClusters(farthestPointClusters(kappa, 5, 3)), [
    [0, 1, 3],
    [0, 1, 1, 2, 2],
  ]);
  // Then 2 (3 in cluster 1, against 5 in cluster 2), then 4; there is no sixth.
  assert.deepEqual(listClusters(farthestPointClusters(kappa, 5, 9)), [
    [0, 1, 3, 2, 4],
    [0, 1, 3, 2, 4],
  ]);
});

Deno.test("a tie for the next centroid goes to the older cluster before the lower index", () => {
  const kappa = [
    [9, 1, 3, 0],
    [1, 9, 0, 3],
    [3, 0, 9, 0],
    [0, 3, 0, 9],
  ].flat();
  // 0 is first and 3 second (0); 1 joins 3 (3 > 1), 2 stays with 0 (3): both at 3, and 2's cluster is the older.
  assert.deepEqual(listClusters(farthestPointClusters(kappa, 4, 2)), [[0, 3], [0, 1, 0, 1]]);
  assert.deepEqual(listClusters(farthestPointClusters(kappa, 4, 3)), [[0, 3, 2], [0, 1, 2, 1]]);
});

function listClusters({ centroids, assignment }: Clusters): number[][] {
  return [[...centroids], [...assignment]];
}

/** A symmetric integer kernel, `[N][N]`, rich in ties. */
const tiedKernel = fc.integer({ min: 1, max: 9 }).chain((count) =>
  fc.array(
    fc.array(fc.integer({ min: -2, max: 2 }), { minLength: count, maxLength: count }),
    { minLength: count, maxLength: count },
  ).map((rows) => rows.map((row, i) => row.map((value, j) => i < j ? value : rows[j][i])))
);

Deno.test("clusters follow from their centroids: a sample belongs to its most similar one, the earliest of equals", () => {
  fc.assert(
    fc.property(tiedKernel, fc.integer({ min: 1, max: 9 }), (kappa, clusters) => {
      const { centroids, assignment } = farthestPointClusters(kappa.flat(), kappa.length, clusters);
      assert.equal(centroids.length, Math.min(clusters, kappa.length));
      kappa.forEach((row, i) =>
        assert.equal(assignment[i], clusterOf(row, i, [...centroids]), `sample ${i}`)
      );
    }),
  );
});

Deno.test("each next centroid is the sample least similar to its own, by cluster and then index on a tie", () => {
  fc.assert(fc.property(tiedKernel, (kappa) => {
    const { centroids } = farthestPointClusters(kappa.flat(), kappa.length, kappa.length);
    const own = kappa.map((row, i) => row[i]);
    assert.equal(centroids[0], own.indexOf(Math.max(...own)));
    for (let k = 1; k < centroids.length; k++) {
      const founded = [...centroids.slice(0, k)];
      const [next] = kappa
        .map((row, i) => ({ i, cluster: clusterOf(row, i, founded), row }))
        .filter(({ i }) => !founded.includes(i))
        .map(({ i, cluster, row }) => [row[founded[cluster]], cluster, i])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
      assert.equal(centroids[k], next[2]);
    }
  }));
});

/** Finds the cluster of a sample among the centroids so far, by an algorithm without lists. */
function clusterOf(row: readonly number[], sample: number, centroids: readonly number[]): number {
  if (centroids.includes(sample)) return centroids.indexOf(sample);
  const similarities = centroids.map((centroid) => row[centroid]);
  return similarities.indexOf(Math.max(...similarities));
}

Deno.test("per class each class is clustered alone and clusters are numbered on in label order", () => {
  const labels = [7, 2, 7, 2, 7];
  const kappa = [
    [5, 9, 1, 9, 2],
    [9, 4, 9, 0, 9],
    [1, 9, 6, 9, 3],
    [9, 0, 9, 3, 9],
    [2, 9, 3, 9, 1],
  ].flat();
  // Label 2: samples 1, 3, one centroid: 1. Label 7: samples 0, 2, 4, two centroids: 2, then 0; 4 stays (3 > 2).
  const { centroids, assignment } = farthestPointClustersPerClass(kappa, labels, 0.7);
  assert.deepEqual([...centroids], [1, 2, 0]);
  assert.deepEqual([...assignment], [2, 0, 1, 0, 1]);
});

// numbers.ts

Deno.test("a dot product's bound grows with its length and says nothing from 2^24 on", () => {
  assert.equal(Math.fround(1 + UNIT_ROUNDOFF), 1);
  assert.ok(Math.fround(1 + UNIT_ROUNDOFF * 1.001) > 1);
  assert.equal(dotBound(1, 1), 2 ** -24 / (1 - 2 ** -24));
  assert.equal(dotBound(2 ** 23, 3), 3);
  assert.throws(() => dotBound(2 ** 24, 1), RangeError);
  assert.throws(() => dotBound(NaN, 1), RangeError);
});

Deno.test("float32 dot products keep the bound", () => {
  // Multiples of 2^-24 below 1: their products and sums are exact in float64, and float32 never underflows.
  const element = fc.integer({ min: -(2 ** 24), max: 2 ** 24 }).map((k) => k * 2 ** -24);
  const pairs = fc.array(fc.tuple(element, element), { minLength: 1, maxLength: 16 });
  fc.assert(fc.property(pairs, (products) => {
    const rounded = products.reduce(
      (total, [a, b]) => Math.fround(total + Math.fround(a * b)),
      0,
    );
    const exact = sum(products.map(([a, b]) => a * b));
    const magnitude = sum(products.map(([a, b]) => Math.abs(a * b)));
    assertClose([rounded], [exact], () => dotBound(products.length, magnitude), "dot product");
  }));
});

Deno.test("a comparison accepts an error of exactly its bound, and exact equality at bound 0", () => {
  assertClose([1.5, 2], [1, 2], (i) => i === 0 ? 0.5 : 0, "numbers");
  assertClose([], [], () => 0, "nothing");
});

Deno.test("a comparison names the element that is worst in units of its bound", () => {
  const compare = () => assertClose([1, 12, 1.5], [1, 10, 1], (i) => i === 2 ? 0.125 : 1, "rows");
  assert.throws(compare, {
    message:
      "Cannot accept rows: got 1.5 at element 2, need 1 within 0.125; 2 of 3 elements are off",
  });
});

Deno.test("a comparison fails on NaN anywhere, on infinities, on useless bounds and on different lengths", () => {
  assert.throws(() => assertClose([0, NaN], [0, 0], () => 1, "n"), /NaN at element 1/);
  assert.throws(() => assertClose([0], [NaN], () => 1, "n"), /need NaN/);
  assert.throws(() => assertClose([0], [0], () => NaN, "n"), /within NaN/);
  assert.throws(() => assertClose([0], [0], () => Infinity, "n"), /within Infinity/);
  assert.throws(() => assertClose([Infinity], [Infinity], () => 1, "n"), /got Infinity/);
  assert.throws(() => assertClose([0], [0], () => -1, "n"), /within -1/);
  assert.throws(() => assertClose([0], [2 ** -1074], () => 0, "n"), /within 0/);
  assert.throws(() => assertClose([0, 0], [0], () => 1, "n"), /got 2 elements, need 1/);
  // NaN beats a merely large error to the message, whichever comes first.
  assert.throws(() => assertClose([NaN, 9], [0, 0], () => 1, "n"), /got NaN at element 0.*2 of 2/);
  assert.throws(() => assertClose([9, NaN], [0, 0], () => 1, "n"), /got NaN at element 1/);
});

// The independent answers.

const golden = Deno.env.get("LPNTK_GOLDEN");
if (golden === undefined) {
  console.warn("LPNTK_GOLDEN is not set: the oracle is not compared with PyTorch's answers.");
}

/** Tolerance between reordered float64 sums of 1e5 products, which differ by at most 1e-11 (1e5 * 2^-53); a slip into float32 shows as 1e-7. */
const GOLDEN_TOLERANCE = 1e-10;

interface GoldenMeta {
  readonly fpc_ratio: number;
  readonly relation_t: number;
  readonly relation_eps: number;
  readonly relation_counts: RelationCounts;
}

/** One folder of answers. */
class Golden {
  constructor(readonly name: string) {}

  /** Reads an array as float64, row-major. */
  async read(file: string): Promise<Tensor> {
    const { data, shape } = await readNpy(`${golden}/${this.name}/${file}.npy`);
    return { shape, data: Float64Array.from(data, Number) };
  }

  async readJson<Content>(file: string): Promise<Content> {
    return JSON.parse(await Deno.readTextFile(`${golden}/${this.name}/${file}.json`));
  }

  async readWeights(): Promise<Weights> {
    const path = `${golden}/${this.name}/weights.safetensors`;
    return decodeSafetensors(await Deno.readFile(path), path);
  }

  /** Reads grey images, normalised: `[N, H, W, 1]`. */
  async readImages(file: string): Promise<Tensor> {
    const { shape, data } = await this.read(file);
    const { mean: [mean], std: [std] } = await this.readJson<{ mean: number[]; std: number[] }>(
      "dataset",
    );
    return { shape: [...shape, 1], data: data.map((pixel) => (pixel / 255 - mean) / std) };
  }
}

function assertNear(actual: Tensor, expected: Tensor, scale: number, label: string): void {
  assert.deepEqual(actual.shape, expected.shape, label);
  assertClose(actual.data, expected.data, () => GOLDEN_TOLERANCE * scale, label);
}

function largestOf({ data }: Tensor): number {
  return data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

/** Compares with the answers relative to the largest of them. */
async function assertKernel(answers: Golden, file: string, actual: Tensor): Promise<void> {
  const expected = await answers.read(file);
  assertNear(actual, expected, largestOf(expected), `${answers.name} ${file}`);
}

async function assertIntegers(
  answers: Golden,
  file: string,
  actual: ArrayLike<number>,
): Promise<void> {
  assert.deepEqual(Array.from(actual), [...(await answers.read(file)).data], file);
}

/** Compares clusters and relations of a kernel with the folder's integers. */
async function assertAnalysis(answers: Golden, kappa: Tensor): Promise<void> {
  const meta = await answers.readJson<GoldenMeta>("meta");
  const labels = (await answers.read("labels")).data;
  const count = labels.length;

  const clusters = farthestPointClusters(kappa.data, count, centroidCount(meta.fpc_ratio, count));
  await assertIntegers(answers, "fpc_centroids", clusters.centroids);
  await assertIntegers(answers, "fpc_assign", clusters.assignment);
  const perClass = farthestPointClustersPerClass(kappa.data, labels, meta.fpc_ratio);
  await assertIntegers(answers, "fpc_class_centroids", perClass.centroids);
  await assertIntegers(answers, "fpc_class_assign", perClass.assignment);

  const thresholds = { threshold: meta.relation_t, tolerance: meta.relation_eps };
  const { codes, counts } = relatePairs(kappa.data, count, thresholds);
  await assertIntegers(answers, "relations", codes);
  assert.deepEqual(counts, meta.relation_counts);
}

/** Number of samples that the stored eNTK covers. */
const ENTK_SAMPLES = 16;

/** Computes the first samples' Jacobians, and every sample's two projections: all Jacobians would be gigabytes. */
function projectSamples(
  network: readonly Layer[],
  weights: Weights,
  images: Tensor,
  labels: ArrayLike<number>,
) {
  const [count] = images.shape;
  const kept: Jacobian[number][] = [];
  const signed: Float64Array[] = [];
  const plain: Float64Array[] = [];
  for (let n = 0; n < count; n++) {
    const jacobian = computeJacobian(network, weights, sampleAt(images, n));
    const classes = jacobian[0].length;
    if (n < ENTK_SAMPLES) kept.push(...jacobian);
    signed.push(...contractJacobian(jacobian, signedCotangents([labels[n]], classes)));
    plain.push(...contractJacobian(jacobian, plainCotangents(1, classes)));
  }
  return { jacobian: kept, signed, plain };
}

/** Computes the Gram matrix of unpacked rows. */
function gramOf(rows: readonly Float64Array[], others: readonly Float64Array[]): Tensor {
  const whole = [{ kind: "plain", offset: 0, length: rows[0].length }] as const;
  return { shape: [rows.length, others.length], data: gramRows(rows, others, whole).value };
}

/** Takes the top left corner of a matrix. */
function cornerOf({ shape: [, columns], data }: Tensor, height: number, width: number): Tensor {
  return {
    shape: [height, width],
    data: Float64Array.from(
      { length: height * width },
      (_, k) => data[Math.floor(k / width) * columns + k % width],
    ),
  };
}

for (const [name, network] of [["mlp_mnist64", mlp], ["lenet5_mnist64", lenet5]] as const) {
  Deno.test({
    name: `${name}: logits, eNTK, lpNTK, pNTK and all that follows agree with PyTorch`,
    ignore: golden === undefined,
    async fn() {
      const answers = new Golden(name);
      const weights = await answers.readWeights();
      const images = await answers.readImages("images");
      const testImages = await answers.readImages("test_images");
      const labels = (await answers.read("labels")).data;
      const testLabels = (await answers.read("test_labels")).data;

      const logits = await answers.read("logits");
      assertNear(computeLogits(network, weights, images), logits, 1, `${name} logits`);
      const testLogits = await answers.read("test_logits");
      assertNear(computeLogits(network, weights, testImages), testLogits, 1, `${name} test_logits`);

      const train = projectSamples(network, weights, images, labels);
      const test = projectSamples(network, weights, testImages, testLabels);
      const kernels = {
        lpntk: gramOf(train.signed, train.signed),
        pntk: gramOf(train.plain, train.plain),
        lpntk_cross: gramOf(train.signed, test.signed),
        pntk_cross: gramOf(train.plain, test.plain),
      };
      for (const [file, kernel] of Object.entries(kernels)) {
        await assertKernel(answers, file, kernel);
      }

      // The first line of equation 3 costs C² as much, so that it is computed on fewer samples.
      const corner = entk(train.jacobian, train.jacobian);
      await assertKernel(answers, "entk", corner);
      const signs = Array.from(labels.subarray(0, ENTK_SAMPLES), (label) => signVector(label, 10));
      const expected = cornerOf(kernels.lpntk, ENTK_SAMPLES, ENTK_SAMPLES);
      const firstLine = contractEntk(corner, signs, signs);
      assertNear(firstLine, expected, largestOf(kernels.lpntk), `${name} first line`);
      const [left, right] = [train.jacobian.slice(0, 4), test.jacobian.slice(0, 4)];
      assertNear(
        lpntk(left, labels.subarray(0, 4), right, testLabels.subarray(0, 4)),
        cornerOf(kernels.lpntk_cross, 4, 4),
        largestOf(kernels.lpntk_cross),
        `${name} first line, lpntk_cross`,
      );
      assertNear(
        pntk(left, right),
        cornerOf(kernels.pntk_cross, 4, 4),
        largestOf(kernels.pntk_cross),
        `${name} first line, pntk_cross`,
      );

      await assertIntegers(answers, "redundant_lpntk", redundant(kernels.lpntk.data, 64));
      await assertIntegers(answers, "redundant_pntk", redundant(kernels.pntk.data, 64));
      await assertAnalysis(answers, kernels.lpntk);
    },
  });
}

Deno.test({
  name:
    "resnettiny_cifar24: redundancy, clusters and relations of a residual net's kernel agree with PyTorch's",
  ignore: golden === undefined,
  async fn() {
    const answers = new Golden("resnettiny_cifar24");
    const kappa = await answers.read("lpntk");
    await assertIntegers(answers, "redundant_lpntk", redundant(kappa.data, 24));
    const plain = await answers.read("pntk");
    await assertIntegers(answers, "redundant_pntk", redundant(plain.data, 24));
    await assertAnalysis(answers, kappa);
  },
});

Deno.test({
  name:
    "analysis_ties30: redundancy, clusters and relations of a kernel full of ties agree exactly",
  ignore: golden === undefined,
  async fn() {
    const answers = new Golden("analysis_ties30");
    const kappa = await answers.read("kappa");
    await assertIntegers(answers, "redundant", redundant(kappa.data, 30));
    await assertIntegers(answers, "redundant_upper", redundant(kappa.data, 30, "later"));
    await assertAnalysis(answers, kappa);
  },
});
