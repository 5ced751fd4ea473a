/** What of an ONNX file counts as a parameter, how samples are found, and what is refused. @module */
import assert from "node:assert/strict";
import { FileError } from "../../../engine/errors.ts";
import { loadOnnx } from "../../../engine/onnx/load.ts";
import { testEngine } from "../open_engine.ts";
import { computeFloat64Logits } from "./float64_layers.ts";
import {
  bytesField,
  encodeOnnx,
  encodeTensor,
  type GraphParts,
  integerField,
  type NodeParts,
  type TensorParts,
} from "./onnx_writer.ts";

function fill(shape: readonly number[], value: (i: number) => number): TensorParts {
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Array.from({ length }, (_, i) => Math.fround(value(i))) };
}

const wave = (shape: readonly number[], seed = 1) => fill(shape, (i) => Math.sin(seed * (i + 1)));

/** A convolution and a norm, whose statistics PyTorch has merged, then a dense layer. */
const SMALL: GraphParts = {
  nodes: [
    ["Identity", ["n.weight"], "n.running_var"],
    ["Identity", ["n.bias"], "n.running_mean"],
    ["Conv", ["x", "c.weight"], "a"],
    ["BatchNormalization", ["a", "n.weight", "n.bias", "n.running_mean", "n.running_var"], "b"],
    ["GlobalAveragePool", ["b"], "d"],
    ["Flatten", ["d"], "e"],
    ["Gemm", ["e", "fc.weight", "fc.bias"], "y", { transB: 1 }],
  ],
  tensors: {
    "c.weight": wave([2, 2, 1, 1]),
    "n.weight": fill([2], () => 1),
    "n.bias": fill([2], () => 0),
    "fc.weight": wave([3, 2], 2),
    "fc.bias": wave([3], 3),
  },
};

/** Loads a graph with some parts changed. */
function load(changed: Partial<GraphParts>) {
  return loadOnnx(encodeOnnx({ ...SMALL, ...changed }), "small.onnx");
}

/** Loads a graph of nodes over `x` `[N, 4]`, with a dense layer at the end that takes `z`. */
function loadVectors(
  nodes: readonly NodeParts[],
  tensors: GraphParts["tensors"],
  input: GraphParts["input"] = ["n", 4],
) {
  return loadOnnx(encodeOnnx({ nodes, tensors, input }), "vectors.onnx");
}

Deno.test("merged tensors of one number are tensors of their own, and names are those of the state_dict", () => {
  const { weights, inputShape, classes, notes, definition } = load({});
  assert.deepEqual([...weights.keys()].sort(), [
    "c.weight",
    "fc.bias",
    "fc.weight",
    "n.bias",
    "n.running_mean",
    "n.running_var",
    "n.weight",
  ]);
  assert.deepEqual([...inputShape, classes, definition.name, notes], [4, 5, 2, 3, "small", []]);
});

Deno.test("merged tensors of several numbers are one parameter, used twice, with biases of their own", () => {
  const { weights, notes } = loadVectors([
    ["Identity", ["a.weight"], "b.weight"],
    ["Gemm", ["x", "a.weight", "a.bias"], "p", { transB: 1 }],
    ["Gemm", ["p", "b.weight", "b.bias"], "y", { transB: 1 }],
  ], { "a.weight": wave([4, 4]), "a.bias": wave([4], 2), "b.bias": wave([4], 3) });
  assert.deepEqual([...weights.keys()].sort(), ["a.bias", "a.weight", "b.bias"]);
  assert.match(
    notes.join(),
    /b\.weight, which is a\.weight: each is one parameter, used twice; .*before the export/,
  );
});

Deno.test("a matrix that two kinds of nodes use is a parameter by itself", () => {
  const { weights, definition, classes } = loadVectors([
    ["MatMul", ["x", "w"], "p"],
    ["Gemm", ["p", "w"], "y", { transB: 1 }],
  ], { w: wave([4, 4]) });
  assert.deepEqual([...weights.keys()], ["w"]);
  const images = { shape: [2, 1, 1, 4], data: Float64Array.of(1, 2, 3, 4, -1, 0, 1, 0) };
  const { data } = computeFloat64Logits(definition, weights, images, classes);
  const w = (i: number, j: number) => weights.get("w")!.data[4 * i + j];
  const axis = [0, 1, 2, 3];
  // x w wᵀ
  const want = [0, 4].flatMap((row) =>
    axis.map((k) =>
      axis.reduce(
        (sum, j) => sum + axis.reduce((s, i) => s + images.data[row + i] * w(i, j), 0) * w(k, j),
        0,
      )
    )
  );
  data.forEach((value, i) => assert.ok(Math.abs(value - want[i]) < 1e-12, `${value} ${want[i]}`));
});

/** Standardised columns, whose mean and deviation are buffers that ONNX cannot tell from parameters, before a dense layer. */
const STANDARDISED = {
  nodes: [
    ["Sub", ["x", "mean"], "a"],
    ["Div", ["a", "std"], "b"],
    ["Mul", ["b", "norm.weight"], "c"],
    ["Add", ["c", "norm.bias"], "d"],
    ["Gemm", ["d", "fc.weight", "fc.bias"], "y", { transB: 1 }],
  ] as NodeParts[],
  tensors: {
    mean: wave([4], 5),
    std: fill([1, 4], (i) => 1 + i / 2),
    "norm.weight": wave([4], 6),
    "norm.bias": wave([4], 7),
    "fc.weight": wave([3, 4], 2),
    "fc.bias": wave([3], 3),
  },
};

Deno.test("parameters that no layer has are told by name and shape, since they may be buffers", () => {
  const { weights, notes } = loadVectors(STANDARDISED.nodes, STANDARDISED.tensors);
  assert.equal(weights.size, 6);
  assert.equal(notes.length, 1);
  assert.match(
    notes[0],
    /vectors\.onnx .* parameters: mean \[4\], std \[1, 4\]; .*parameters "weights"/,
  );
  assert.doesNotMatch(notes[0], /norm|fc|\n/);
});

Deno.test("tensors that are named constants are no parameters, and change no logit", () => {
  const bytes = encodeOnnx({ ...STANDARDISED, input: ["n", 4] });
  const all = loadOnnx(bytes, "vectors.onnx");
  const some = loadOnnx(bytes, "vectors.onnx", { constants: ["mean", "std"] });
  assert.deepEqual([...some.weights.keys()], ["norm.weight", "norm.bias", "fc.weight", "fc.bias"]);
  assert.deepEqual(some.notes, []);
  const images = { shape: [3, 1, 1, 4], data: Float64Array.from(wave([12], 7).data) };
  assert.deepEqual(
    computeFloat64Logits(some.definition, some.weights, images, 3),
    computeFloat64Logits(all.definition, all.weights, images, 3),
  );
  for (const constants of [["men"], ["fc.weight"]]) {
    assert.throws(
      () => loadOnnx(bytes, "vectors.onnx", { constants }),
      new RegExp(`got constants ${constants[0]}, need tensors that no layer owns, of mean, std`),
    );
  }
});

Deno.test("a dense weight stands as [out, in], whichever way the graph has it, and takes the bias's name", () => {
  const weight = wave([4, 3]);
  const { weights } = loadVectors([
    ["MatMul", ["x", "onnx::MatMul_7"], "p"],
    ["Add", ["fc.bias", "p"], "y"],
  ], { "onnx::MatMul_7": weight, "fc.bias": wave([3], 2) });
  assert.deepEqual([...weights.keys()], ["fc.weight", "fc.bias"]);
  assert.deepEqual(weights.get("fc.weight")!.shape, [3, 4]);
  assert.equal(weights.get("fc.weight")!.data[1], weight.data[3]);
});

Deno.test("a weight that a state_dict names otherwise than layers do is told by both names", () => {
  const { weights, renamed } = loadVectors([
    ["Gemm", ["x", "att.in_proj_weight", "att.in_proj_bias"], "y", { transB: 1 }],
  ], { "att.in_proj_weight": wave([3, 4]), "att.in_proj_bias": wave([3], 2) });
  assert.deepEqual([...renamed], [
    ["att.in_proj_weight", "att.in_proj_weight.weight"],
    ["att.in_proj_bias", "att.in_proj_weight.bias"],
  ]);
  assert.deepEqual([...renamed.values()], [...weights.keys()]);
});

Deno.test("a fixed number of samples stands for any, also as a factor of an axis", () => {
  for (const [samples, merged] of [[1, [3, 4]], [2, [6, 4]]] as const) {
    const ints = (data: readonly number[]) => ({ shape: [data.length], data, integers: true });
    // tokens first, then the samples among the rows
    const { definition, weights, classes } = loadVectors(
      [
        ["Reshape", ["x", "apart"], "a"],
        ["Transpose", ["a"], "b", { perm: [1, 0, 2] }],
        ["Reshape", ["b", "rows"], "c"],
        ["MatMul", ["c", "w"], "d"],
        ["Reshape", ["d", "back"], "e"],
        ["ReduceMean", ["e"], "y", { axes: [0], keepdims: 0 }],
      ],
      {
        w: wave([4, 2]),
        apart: ints([samples, 3, 4]),
        rows: ints(merged),
        back: ints([3, samples, 2]),
      },
      [samples, 12],
    );
    const images = { shape: [5, 1, 1, 12], data: Float64Array.from({ length: 60 }, (_, i) => i) };
    const { shape, data } = computeFloat64Logits(definition, weights, images, classes);
    assert.deepEqual(shape, [5, 2]);
    const w = weights.get("w.weight")!;
    for (const [i, value] of data.entries()) {
      const [n, o] = [Math.floor(i / 2), i % 2];
      let want = 0;
      for (let t = 0; t < 3; t++) {
        for (let k = 0; k < 4; k++) want += images.data[12 * n + 4 * t + k] * w.data[4 * o + k] / 3;
      }
      assert.ok(Math.abs(value - want) < 1e-12 * 100, `${value} ${want}`);
    }
  }
});

Deno.test("a softmax at the end is taken off, and a line says so", () => {
  const nodes = [...SMALL.nodes, ["Softmax", ["y"], "z", { axis: -1 }]] as const;
  const { notes, classes } = load({ nodes });
  assert.equal(classes, 3);
  assert.match(notes.join(), /ends with Softmax, which is taken off: kernels are of logits/);
});

Deno.test("the logarithm of a softmax at the end is taken off with it", () => {
  const nodes: NodeParts[] = [...SMALL.nodes, ["Softmax", ["y"], "z"], ["Log", ["z"], "u"]];
  const { notes, definition, weights, classes } = load({ nodes });
  assert.match(notes.join(), /ends with Log of Softmax, which is taken off: kernels are of logits/);
  const images = { shape: [3, 4, 5, 2], data: Float64Array.from(wave([3, 4, 5, 2], 7).data) };
  assert.deepEqual(
    computeFloat64Logits(definition, weights, images, classes),
    computeFloat64Logits(load({}).definition, weights, images, classes),
  );
});

Deno.test("a folded export says that its parameters are others", () => {
  const { "c.weight": weight, ...rest } = SMALL.tensors!;
  const nodes = SMALL.nodes.map((
    [operator, inputs, ...more],
  ): NodeParts => [
    operator,
    inputs.map((name) => name === "c.weight" ? "onnx::Conv_12" : name),
    ...more,
  ]);
  const { notes } = load({ nodes, tensors: { ...rest, "onnx::Conv_12": weight } });
  assert.match(notes.join(), /onnx::Conv_12.*folded.*do_constant_folding=False/);
});

Deno.test("samples of another shape than the file's are refused", () => {
  const { definition, weights, classes } = load({});
  const images = { shape: [2, 5, 4, 2], data: new Float64Array(80) };
  assert.throws(
    () => computeFloat64Logits(definition, weights, images, classes),
    /got a network of an ONNX file, whose shape is fixed, need \[4, 5, 2\]/,
  );
});

/** A tensor whose elements are in another file. */
const EXTERNAL = Uint8Array.from([
  ...integerField(1, 3),
  ...integerField(2, 1),
  ...bytesField(8, "fc.bias"),
  ...bytesField(13, [...bytesField(1, "location"), ...bytesField(2, "net.data")]),
  ...integerField(14, 1),
]);

type Refusal = readonly [name: string, changed: Partial<GraphParts>, message: RegExp];

const REFUSED: readonly Refusal[] = [
  ["two inputs", { otherInputs: ["mask"] }, /got 2 inputs \(x, mask\), need one/],
  ["two outputs", { outputs: ["y", "e"] }, /got 2 outputs \(y, e\), need one/],
  [
    "a free height",
    { input: ["n", 2, "h", 5] },
    /shape \[n, 2, h, 5\], need a free size for the samples alone; export it by torch/,
  ],
  [
    "a batch norm that was exported in training",
    {
      nodes: SMALL.nodes.map(([operator, ...rest]): NodeParts =>
        operator === "BatchNormalization"
          ? [operator, rest[0], rest[1], { training_mode: 1 }]
          : [operator, ...rest]
      ),
    },
    /got statistics of the batch at node 'node_3' \(BatchNormalization\), need .*torch\.onnx\.export\(model\.eval\(\)/,
  ],
  ...["Softmax", "LogSoftmax"].flatMap((operator) =>
    [0, -2].map((axis): Refusal => [
      `${operator} over axis ${axis} at the end`,
      { nodes: [...SMALL.nodes, [operator, ["y"], "z", { axis }]] },
      new RegExp(`samples that act on one another at node 'node_7' \\(${operator}\\)`),
    ])
  ),
  [
    "an average over a window that begins in the padding of a node before",
    {
      nodes: [
        ["Pad", ["x", "pads"], "p"],
        ["AveragePool", ["p"], "q", { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }],
        ["Flatten", ["q"], "e"],
        ["Gemm", ["e", "fc.weight", "fc.bias"], "y", { transB: 1 }],
      ],
      tensors: {
        pads: { shape: [8], data: [0, 0, 1, 1, 0, 0, 1, 1], integers: true },
        "fc.weight": wave([3, 24]),
        "fc.bias": wave([3]),
      },
    },
    /got a window that begins in padding at node 'node_1' \(AveragePool\), need ceil_mode=False/,
  ],
  ["an old opset", { opset: 10 }, /got opset 10, need 11 or newer/],
  [
    "an output of images",
    { nodes: SMALL.nodes.slice(0, 4), outputs: ["b"] },
    /got an output \[N, 2, 4, 5\], need logits \[N, C\]/,
  ],
  [
    "unknown operators",
    {
      nodes: [...SMALL.nodes, ["Loop", ["y"], "z"], ["Loop", ["z"], "u"], [
        "NonZero",
        ["u"],
        "v",
      ]],
    },
    /opset 17: Loop \(node 'node_7'\), NonZero \(node 'node_9'\)/,
  ],
  [
    "integer weights",
    { tensors: { ...SMALL.tensors, "fc.weight": { ...fill([3, 2], (i) => i), integers: true } } },
    /constant array of integers of shape \[3, 2\] for input 1 at node 'node_6' \(Gemm\)/,
  ],
  [
    "integer weights of a convolution",
    {
      tensors: {
        ...SMALL.tensors,
        "c.weight": { ...fill([2, 2, 1, 1], (i) => i), integers: true },
      },
    },
    /a weight of integers \(INT64\) at node 'node_2' \(Conv\), need .* in floating point/,
  ],
  [
    "a graph without parameters",
    { nodes: [["GlobalAveragePool", ["x"], "a"], ["Flatten", ["a"], "y"]], tensors: {} },
    /got no parameters/,
  ],
  [
    "samples that act on one another",
    { nodes: [["ReduceMean", ["x"], "m", { axes: [0] }], ["Sub", ["x", "m"], "z"]] },
    /samples that act on one another at node 'node_0' \(ReduceMean\)/,
  ],
  [
    "each sample with each other",
    {
      input: ["n", 4],
      nodes: [["MatMul", ["x", "w"], "p"], ["Transpose", ["p"], "t"], ["Add", ["p", "t"], "z"]],
      tensors: { w: wave([4, 1]) },
    },
    /samples that act on one another, at axes 0 and 1 at node 'node_2' \(Add\)/,
  ],
  [
    "external data",
    { tensors: { ...SMALL.tensors, "fc.bias": EXTERNAL } },
    /tensor fc\.bias of small\.onnx: got its elements in another file, net\.data, need them inside; onnx\.save_model/,
  ],
  [
    "a shape of other elements",
    {
      tensors: {
        ...SMALL.tensors,
        "fc.bias": Uint8Array.from(encodeTensor("fc.bias", { shape: [4], data: [1] })),
      },
    },
    /got 1 elements, need 4 for its shape \[4\]/,
  ],
];

Deno.test("a parameter of a module's own is one, also where its name begins like the exporter's", () => {
  const { weights } = loadVectors([
    ["Mul", ["x", "val_scale"], "a"],
    ["Gemm", ["a", "fc.weight"], "y", { transB: 1 }],
  ], { val_scale: { shape: [1], data: [2] }, "fc.weight": wave([3, 4]) });
  assert.deepEqual([...weights.keys()].sort(), ["fc.weight", "val_scale"]);
});

/** Operators that need constants, over images and a parameter `p` of one number. */
const OF_PARAMETERS: readonly NodeParts[] = [
  ["Pow", ["x", "p"], "z"],
  ["Max", ["p", "p"], "z"],
  ["Min", ["p", "p"], "z"],
  ["Clip", ["x", "p"], "z"],
  ["ReduceMax", ["p"], "z"],
  ["Pad", ["x", "pads", "p"], "z"],
  ["Where", ["flag", "p", "p"], "z"],
];

for (const node of OF_PARAMETERS) {
  const [operator] = node;
  Deno.test(`${operator} of a parameter is refused, and is no constant`, () => {
    const tensors = {
      ...SMALL.tensors,
      p: { shape: [1], data: [3] },
      flag: { shape: [1], data: [1], integers: true },
      pads: { shape: [8], data: [0, 0, 0, 1, 0, 0, 0, 0], integers: true },
    };
    assert.throws(
      () => load({ nodes: [node, ["Add", ["x", "z"], "sum"]], tensors }),
      new RegExp(`parameter 'p' .*not supported at node 'node_0' \\(${operator}\\)`),
    );
  });
}

for (const [name, changed, message] of REFUSED) {
  Deno.test(`${name}: one line`, () => {
    assert.throws(() => load(changed), (error) => {
      assert.ok(error instanceof FileError, `${error}`);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

testEngine("images of one pixel are no rows of a table", async (engine) => {
  const { definition, weights, inputShape } = loadOnnx(
    encodeOnnx({ ...SMALL, input: ["n", 2, 1, 1] }),
  );
  using network = engine.network(definition, weights, inputShape);
  assert.equal(network.layers[0].kind, "convolution");
  await Promise.resolve();
});

Deno.test("a file that is cut anywhere, or of chance bytes, is one line", () => {
  const bytes = encodeOnnx(SMALL);
  for (let length = 0; length < bytes.length; length += 7) {
    assert.throws(() => loadOnnx(bytes.subarray(0, length)), FileError);
  }
  // in the middle of the graph
  assert.throws(() => loadOnnx(bytes.subarray(0, 300)), /got \d+ bytes of \d+, a truncated file/);
  let seed = 1;
  for (let i = 0; i < 200; i++) {
    const hostile = bytes.slice();
    for (let k = 0; k < 3; k++) {
      seed = (seed * 48271) % 2147483647;
      hostile[seed % hostile.length] = seed >> 8;
    }
    try {
      loadOnnx(hostile);
    } catch (error) {
      assert.ok(error instanceof FileError, `${(error as Error).stack}`);
    }
  }
});
