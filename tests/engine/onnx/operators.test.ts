/**
 * Every operator of an ONNX graph against the same network written by hand: the same calls on the same tensors, to the last bit, in float64 on the
 * host.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Activations, FeatureMaps, Layers } from "../../../engine/network/definition.ts";
import { loadOnnx } from "../../../engine/onnx/load.ts";
import { computeFloat64Logits, type Float64Tensor } from "./float64_layers.ts";
import {
  draw,
  encodeOnnx,
  type GraphParts,
  type NodeParts,
  type TensorParts,
} from "./onnx_writer.ts";

function ints(...data: number[]): TensorParts {
  return { shape: [data.length], data, integers: true };
}

/** Images `[3, 4, 5, 2]`, which a graph takes as `[3, 2, 4, 5]`. */
const IMAGES: Float64Tensor = {
  shape: [3, 4, 5, 2],
  data: Float64Array.from(draw([120], 0.37).data),
};

type Forward = (layers: Layers, x: FeatureMaps) => Activations;

/** Ends a graph over `y`, images of `channels`, with the mean of each channel and a dense layer. */
function withHead(graph: GraphParts, channels = 2): GraphParts {
  return {
    ...graph,
    nodes: [
      ...graph.nodes,
      ["GlobalAveragePool", ["y"], "pooled"],
      ["Flatten", ["pooled"], "flat"],
      ["Gemm", ["flat", "fc.weight", "fc.bias"], "logits", { transB: 1 }],
    ],
    tensors: { ...graph.tensors, "fc.weight": draw([3, channels]), "fc.bias": draw([3], 2) },
  };
}

/** Compares a graph's logits with those of the same network by hand, on images or as given. */
function compare(graph: GraphParts, forward: Forward, images = IMAGES): void {
  const { definition, weights, classes } = loadOnnx(encodeOnnx(graph));
  const got = computeFloat64Logits(definition, weights, images, classes);
  const hand = { name: "hand", forward: forward as typeof definition.forward };
  const want = computeFloat64Logits(hand, weights, images, classes);
  assert.deepEqual(got.shape, [images.shape[0], classes]);
  assert.ok(want.data.every((value) => Number.isFinite(value) && value !== 0));
  assert.deepEqual(got.data, want.data);
}

/** Compares operators that give images, `y` from `x`. */
function compareImages(
  name: string,
  nodes: readonly NodeParts[],
  forward: (layers: Layers, x: FeatureMaps) => Activations,
  { channels = 2, ...graph }: Partial<GraphParts> & { readonly channels?: number } = {},
): void {
  Deno.test(`${name} is what it is by hand`, () =>
    compare(
      withHead({ nodes, ...graph }, channels),
      (layers, x) => layers.dense("fc", layers.globalAverage(forward(layers, x) as FeatureMaps), 3),
    ));
}

const POINTWISE = {
  Relu: (layers, x) => layers.relu(x),
  Sigmoid: (layers, x) => layers.sigmoid(x),
  Tanh: (layers, x) => layers.tanh(x),
  Erf: (layers, x) => layers.erf(x),
  Softplus: (layers, x) => layers.softplus(x),
  HardSwish: (layers, x) => layers.hardSwish(x),
  Gelu: (layers, x) => layers.gelu(x),
  Neg: (layers, x) => layers.negate(x),
  Abs: (layers, x) => layers.absolute(x),
  Exp: (layers, x) => layers.exp(x),
  Reciprocal: (layers, x) => layers.reciprocal(x),
  LeakyRelu: (layers, x) => layers.leakyRelu(x, 0.01),
  Elu: (layers, x) => layers.elu(x, 1),
  Selu: (layers, x) => layers.multiply(layers.elu(x, 1.6732632423543772), 1.0507009873554805),
  Identity: (_, x) => x,
  Dropout: (_, x) => x,
} satisfies Record<string, Forward>;

for (const [operator, forward] of Object.entries(POINTWISE)) {
  compareImages(operator, [[operator, ["x"], "y"]], forward);
}

compareImages(
  "Sqrt and Log of a square",
  [
    ["Pow", ["x", "two"], "s"],
    ["Sqrt", ["s"], "r"],
    ["Log", ["r"], "y"],
  ],
  (layers, x) => layers.log(layers.sqrt(layers.square(x))),
  {
    tensors: { two: { shape: [1], data: [2], integers: true } },
  },
);

compareImages(
  "Clip to 6",
  [["Clip", ["x", "val_0", "val_6"], "y"]],
  (layers, x) => layers.relu6(x),
  {
    tensors: { val_0: { shape: [], data: [0] }, val_6: { shape: [], data: [6] } },
  },
);

compareImages("PyTorch's HardSigmoid", [
  ["HardSigmoid", ["x"], "y", { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }],
], (layers, x) => layers.hardSigmoid(x));

compareImages(
  "x * sigmoid(x)",
  [["Sigmoid", ["x"], "s"], ["Mul", ["x", "s"], "y"]],
  (layers, x) => layers.silu(x),
);

compareImages("GELU in five nodes", [
  ["Constant", [], "r2", { value: { shape: [], data: [Math.SQRT2] } }],
  ["Constant", [], "one", { value: { shape: [], data: [1] } }],
  ["Constant", [], "half", { value: { shape: [], data: [0.5] } }],
  ["Div", ["x", "r2"], "a"],
  ["Erf", ["a"], "b"],
  ["Add", ["b", "one"], "c"],
  ["Mul", ["x", "c"], "d"],
  ["Mul", ["d", "half"], "y"],
], (layers, x) => layers.gelu(x));

compareImages("a scale, a shift and numbers", [
  ["Mul", ["x", "scale"], "a"],
  ["Add", ["shift", "a"], "b"],
  ["Constant", [], "two", { value: { shape: [], data: [2] } }],
  ["Sub", ["two", "b"], "c"],
  ["Div", ["c", "x"], "d"],
  ["Div", ["two", "d"], "y"],
], (layers, x) => {
  const scale = layers.reshape(layers.parameter("scale", [2, 1, 1]), [1, 1, 2]);
  const shift = layers.reshape(layers.parameter("shift", [2, 4, 1]), [2, 4, 1]);
  const b = layers.add(layers.multiply(x, scale), layers.transpose(shift, [2, 3, 1]));
  const d = layers.divide(layers.add(layers.negate(b), 2), x);
  return layers.multiply(layers.reciprocal(d), 2);
}, { tensors: { scale: draw([2, 1, 1], 3), shift: draw([2, 4, 1], 4) } });

Deno.test("a number that is added to a dense layer is no bias of it", () => {
  compare({
    nodes: [
      ["GlobalAveragePool", ["x"], "pooled"],
      ["Flatten", ["pooled"], "flat"],
      ["MatMul", ["flat", "fc.weight"], "product"],
      ["Add", ["product", "fc.bias"], "y"],
    ],
    tensors: { "fc.weight": draw([2, 3]), "fc.bias": draw([1], 2) },
  }, (layers, x) =>
    layers.add(
      layers.dense("fc", layers.globalAverage(x), 3, { bias: false }),
      layers.parameter("fc.bias", [1]),
    ));
});

compareImages("a power that is a parameter, of what is clipped above 0", [
  ["Constant", [], "least", { value: { shape: [], data: [0.25] } }],
  ["Clip", ["x", "least"], "c"],
  ["Pow", ["c", "p"], "y"],
], (layers, x) => {
  const clipped = layers.clip(x, 0.25, 3.4028234663852886e38);
  return layers.exp(
    layers.multiply(layers.log(clipped), layers.reshape(layers.parameter("p", [1]), [1, 1, 1])),
  );
}, { tensors: { p: { shape: [1], data: [3] } } });

compareImages("the larger of two tensors", [
  ["Neg", ["x"], "n"],
  ["Max", ["x", "n"], "y"],
], (layers, x) => {
  const n = layers.negate(x);
  return layers.add(layers.relu(layers.subtract(x, n)), n);
});

compareImages("a constant that is wider than what it is added to", [
  ["ReduceMean", ["x"], "m", { axes: [3], keepdims: 1 }],
  ["Constant", [], "zeros", { value: { shape: [1, 3], data: [0, 0, 0] } }],
  ["Add", ["m", "zeros"], "wide"],
  ["Concat", ["x", "wide"], "y", { axis: 3 }],
], (layers, x) => {
  const mean = layers.add(layers.mean(x, [2], { keep: true }), 0);
  return layers.concat([x, mean, mean, mean], 2);
});

compareImages(
  "a convolution with everything apart",
  [["Conv", ["x", "c.weight", "c.bias"], "y", {
    kernel_shape: [3, 2],
    strides: [2, 1],
    pads: [1, 0, 2, 1],
    dilations: [1, 2],
    group: 2,
  }]],
  (layers, x) =>
    layers.convolution("c", x, {
      filters: 4,
      size: [3, 2],
      stride: [2, 1],
      pad: [1, 1, 2, 0],
      dilation: [1, 2],
      groups: 2,
    }),
  { channels: 4, tensors: { "c.weight": draw([4, 1, 3, 2]), "c.bias": draw([4]) } },
);

for (const [mode, pad] of [["SAME_UPPER", [0, 1, 1, 0]], ["SAME_LOWER", [1, 0, 0, 1]]] as const) {
  compareImages(
    `a convolution padded by ${mode}`,
    [["Conv", ["x", "c.weight"], "y", { auto_pad: mode, strides: [1, 2] }]],
    (layers, x) =>
      layers.convolution("c", x, { filters: 3, size: [2, 2], stride: [1, 2], pad, bias: false }),
    { channels: 3, tensors: { "c.weight": draw([3, 2, 2, 2]) } },
  );
}

compareImages("MaxPool with padding", [
  ["MaxPool", ["x"], "y", { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 0, 1] }],
], (layers, x) => layers.maxPool(x, [3, 2], { stride: [2, 1], pad: [1, 1, 0, 0] }));

compareImages("AveragePool that counts no padding", [
  ["AveragePool", ["x"], "y", {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    ceil_mode: 1,
  }],
], (layers, x) => layers.averagePool(x, 3, { stride: 2, pad: 1, ceil: true, countPad: false }));

compareImages(
  "GlobalMaxPool",
  [["GlobalMaxPool", ["x"], "y"]],
  (layers, x) => layers.maxPool(x, [4, 5]),
);

compareImages(
  "BatchNormalization",
  [
    ["BatchNormalization", ["x", "n.weight", "n.bias", "n.running_mean", "n.running_var"], "y"],
  ],
  (layers, x) => layers.batchNorm("n", x),
  {
    tensors: {
      "n.weight": draw([2], 2),
      "n.bias": draw([2], 3),
      "n.running_mean": draw([2], 4),
      "n.running_var": { shape: [2], data: [0.5, 2] },
    },
  },
);

compareImages(
  "BatchNormalization without parameters of its own",
  [
    ["Constant", [], "ones", { value: { shape: [2], data: [1, 1] } }],
    ["Constant", [], "zeros", { value: { shape: [2], data: [0, 0] } }],
    ["BatchNormalization", ["x", "ones", "zeros", "n.running_mean", "n.running_var"], "y"],
  ],
  (layers, x) => {
    const [mean, variance] = [[0.25, -0.5], [0.5, 2]];
    const factors = variance.map((value) => 1 / Math.sqrt(value + 1e-5));
    const widen = (values: number[]) => layers.constant(Float32Array.from(values), [1, 1, 2]);
    const scaled = layers.multiply(x, widen(factors));
    return layers.add(scaled, widen(mean.map((value, c) => 0 - value * factors[c])));
  },
  {
    tensors: {
      "n.running_mean": { shape: [2], data: [0.25, -0.5] },
      "n.running_var": { shape: [2], data: [0.5, 2] },
    },
  },
);

compareImages("arrays of constants that multiply and are added", [
  ["Constant", [], "std", { value: { shape: [1, 2, 1, 1], data: [0.5, 0.25] } }],
  ["Constant", [], "mask", { value: draw([4, 5], 7) }],
  ["Mul", ["x", "std"], "scaled"],
  ["Add", ["mask", "scaled"], "y"],
], (layers, x) => {
  const std = layers.constant(Float32Array.of(0.5, 0.25), [1, 1, 2]);
  const mask = layers.constant(Float32Array.from(draw([4, 5], 7).data), [4, 5, 1]);
  return layers.add(mask, layers.multiply(x, std));
});

compareImages("PyTorch's group norm", [
  ["Constant", [], "ones", { value: { shape: [1], data: [1] } }],
  ["Constant", [], "zeros", { value: { shape: [1], data: [0] } }],
  ["Constant", [], "apart", { value: ints(0, 1, -1) }],
  ["Constant", [], "sides", { value: ints(1, 2) }],
  ["Reshape", ["x", "apart"], "grouped"],
  ["InstanceNormalization", ["grouped", "ones", "zeros"], "normal"],
  ["Shape", ["x"], "shape"],
  ["Reshape", ["normal", "shape"], "same"],
  ["Unsqueeze", ["n.weight", "sides"], "w"],
  ["Mul", ["same", "w"], "scaled"],
  ["Unsqueeze", ["n.bias", "sides"], "b"],
  ["Add", ["scaled", "b"], "y"],
], (layers, x) => {
  const own = (name: string) => layers.reshape(layers.parameter(name, [2]), [1, 1, 2]);
  const normal = layers.normalise(x, [1, 2, 3], { epsilon: 1e-5 });
  return layers.add(layers.multiply(normal, own("n.weight")), own("n.bias"));
}, { tensors: { "n.weight": draw([2], 2), "n.bias": draw([2], 3) } });

compareImages("LayerNormalization over channels last", [
  ["Transpose", ["x"], "t", { perm: [0, 2, 3, 1] }],
  ["LayerNormalization", ["t", "n.weight", "n.bias"], "u"],
  ["Transpose", ["u"], "y", { perm: [0, 3, 1, 2] }],
], (layers, x) => {
  const own = (name: string) => layers.reshape(layers.parameter(name, [2]), [1, 1, 2]);
  const normal = layers.normalise(x, [3], { epsilon: 1e-5 });
  return layers.add(layers.multiply(normal, own("n.weight")), own("n.bias"));
}, { tensors: { "n.weight": draw([2], 2), "n.bias": draw([2], 3) } });

compareImages("Concat, Slice, Split and Pad", [
  ["Split", ["x"], ["a", "b"], { axis: 1 }],
  ["Slice", ["a", "from", "to", "axes", "steps"], "c"],
  ["Pad", ["b", "pads", "fill"], "d"],
  ["Slice", ["d", "from", "to", "axes", "steps"], "e"],
  ["Concat", ["e", "c", "c"], "y", { axis: -3 }],
], (layers, x) => {
  const [a, b] = [layers.slice(x, 3, 0, 1), layers.slice(x, 3, 1, 2)];
  const c = layers.slice(a, 2, 1, 5, 2);
  const d = layers.pad(b, [[0, 0], [2, 0], [0, 0]], 7);
  return layers.concat([layers.slice(d, 2, 3, 7, 2), c, c], 3);
}, {
  channels: 3,
  tensors: {
    from: ints(-4),
    to: ints(2 ** 31),
    axes: ints(3),
    steps: ints(2),
    pads: ints(0, 0, 0, 2, 0, 0, 0, -0),
    fill: { shape: [], data: [7], integers: true },
  },
});

Deno.test("attention over tokens is what it is by hand, whatever axes the graph gives the samples", () => {
  const tensors = {
    token: draw([1, 1, 2], 5),
    "qkv.weight": draw([12, 2]),
    "qkv.bias": draw([12], 6),
    "head.weight": draw([3, 4], 7),
  };
  const nodes: readonly NodeParts[] = [
    ["Reshape", ["x", "tokens"], "t"],
    ["Transpose", ["t"], "u", { perm: [0, 2, 1] }],
    ["Shape", ["u"], "s"],
    ["Gather", ["s", "zero"], "n"],
    ["Concat", ["n", "one", "one"], "copies", { axis: 0 }],
    ["Expand", ["token", "copies"], "class"],
    ["Concat", ["class", "u"], "v", { axis: 1 }],
    ["Transpose", ["qkv.weight"], "w", { perm: [1, 0] }],
    ["MatMul", ["v", "w"], "m"],
    ["Add", ["qkv.bias", "m"], "projected"],
    ["Reshape", ["projected", "heads"], "split"],
    ["Transpose", ["split"], "parts", { perm: [2, 0, 3, 1, 4] }],
    ["Constant", [], "i0", { value: { shape: [], data: [0], integers: true } }],
    ["Constant", [], "i1", { value: { shape: [], data: [1], integers: true } }],
    ["Constant", [], "i2", { value: { shape: [], data: [2], integers: true } }],
    ["Gather", ["parts", "i0"], "q", { axis: 0 }],
    ["Gather", ["parts", "i1"], "k", { axis: 0 }],
    ["Gather", ["parts", "i2"], "values", { axis: 0 }],
    ["Transpose", ["k"], "kt", { perm: [0, 1, 3, 2] }],
    ["MatMul", ["q", "kt"], "scores"],
    ["Softmax", ["scores"], "attention"],
    ["MatMul", ["attention", "values"], "mixed"],
    ["Transpose", ["mixed"], "back", { perm: [0, 2, 1, 3] }],
    ["Reshape", ["back", "joined"], "all"],
    ["Gather", ["all", "i0"], "first", { axis: 1 }],
    ["Gemm", ["first", "head.weight"], "logits", { transB: 1 }],
  ];
  const graph = {
    nodes,
    tensors: {
      ...tensors,
      tokens: ints(0, 2, -1),
      zero: ints(0),
      one: ints(1),
      heads: ints(-1, 21, 3, 2, 2),
      joined: ints(-1, 21, 4),
    },
  };
  compare(graph, (layers, x) => {
    const tokens = layers.reshape(x, [20, 2]);
    const all = layers.concat([
      layers.reshape(layers.parameter("token", [1, 1, 2]), [1, 2]),
      tokens,
    ], 1);
    const split = layers.reshape(layers.dense("qkv", all, 12), [21, 3, 2, 2]);
    const part = (i: number) => layers.reshape(layers.slice(split, 2, i, i + 1), [21, 2, 2]);
    const heads = (i: number) => layers.transpose(part(i), [2, 1, 3]);
    const scores = layers.matmul(heads(0), layers.transpose(part(1), [2, 3, 1]));
    const mixed = layers.matmul(layers.softmax(scores), heads(2));
    const back = layers.reshape(layers.transpose(mixed, [2, 1, 3]), [21, 4]);
    const first = layers.reshape(layers.slice(back, 1, 0, 1), [4]);
    return layers.dense("head", first, 3, { bias: false });
  });
});

compareImages("a product with matrices that are the same for all samples", [
  ["MatMul", ["x", "w"], "a"],
  ["MatMul", ["v", "a"], "y"],
], (layers, x) => {
  const own = (name: string, shape: [number, number, number]) => layers.parameter(name, shape);
  const a = layers.matmul(layers.transpose(x, [3, 1, 2]), own("w", [2, 5, 3]));
  return layers.transpose(layers.matmul(own("v", [2, 6, 4]), a), [2, 3, 1]);
}, { tensors: { w: draw([2, 5, 3], 3), v: draw([2, 6, 4], 4) } });
