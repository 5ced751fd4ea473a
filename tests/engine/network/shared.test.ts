/** Tokens, parameters that are no matrices, and weights that several places share, against full Jacobians of networks without sharing. @module */
import assert from "node:assert/strict";
import {
  add,
  averagePool,
  flatten,
  globalAverage,
  multiply,
  type NetworkDefinition,
  relu,
} from "../../../engine/network/definition.ts";
import { lpntk } from "../../../engine/reference/kernels.ts";
import { computeJacobian, type Jacobian, type Layer } from "../../../engine/reference/network.ts";
import type { Numbers } from "../../../engine/reference/tensor.ts";
import { computeGram } from "../../../mod.ts";
import { testEngine } from "../open_engine.ts";
import { drawExactWeights, drawImages, type TinyNetwork, toNumbers } from "./tiny_networks.ts";

/** A network, and one without shared weights that computes the same. */
interface Case extends TinyNetwork {
  /** Shapes of the twin's parameters, in the order of its layers, each with the name that the network has for it. */
  readonly unshared: Readonly<Record<string, readonly [shared: string, shape: readonly number[]]>>;
}

/** Every position goes through two dense layers, after a parameter was added to it. */
function tokens(height: number, width: number): Case {
  return {
    definition: {
      name: `tokens ${height} x ${width}`,
      forward(layers, images) {
        const moved = add(images, layers.parameter("positions", [height, width, 2]) as never);
        const first = relu(layers.dense("fc1", moved, 5));
        const second = layers.dense("fc2", first, 2, { bias: false });
        return layers.dense("head", flatten(second), layers.classes);
      },
    },
    inputShape: [height, width, 2],
    classes: 4,
    shapes: {
      positions: [height, width, 2],
      "fc1.weight": [5, 2],
      "fc1.bias": [5],
      "fc2.weight": [2, 5],
      "head.weight": [4, 2 * height * width],
      "head.bias": [4],
    },
    unshared: {
      positions: ["positions", [height, width, 2]],
      "fc1.weight": ["fc1.weight", [5, 2, 1, 1]],
      "fc1.bias": ["fc1.bias", [5]],
      "fc2.weight": ["fc2.weight", [2, 5, 1, 1]],
      "head.weight": ["head.weight", [4, 2 * height * width]],
      "head.bias": ["head.bias", [4]],
    },
    twin: [
      { kind: "parameter", name: "positions" },
      { kind: "conv", name: "fc1", stride: 1, pad: 0 },
      { kind: "relu" },
      { kind: "conv", name: "fc2", stride: 1, pad: 0 },
      { kind: "flatten" },
      { kind: "dense", name: "head" },
    ],
  };
}

/** A dense layer that is applied to its own output. */
const repeated: Case = {
  definition: {
    name: "repeated",
    forward(layers, images) {
      const first = relu(layers.dense("body", flatten(images), 6));
      return layers.dense("head", relu(layers.dense("body", first, 6)), layers.classes);
    },
  },
  inputShape: [3, 2, 1],
  classes: 4,
  shapes: { "body.weight": [6, 6], "body.bias": [6], "head.weight": [4, 6], "head.bias": [4] },
  unshared: {
    "body1.weight": ["body.weight", [6, 6]],
    "body1.bias": ["body.bias", [6]],
    "body2.weight": ["body.weight", [6, 6]],
    "body2.bias": ["body.bias", [6]],
    "head.weight": ["head.weight", [4, 6]],
    "head.bias": ["head.bias", [4]],
  },
  twin: [
    { kind: "flatten" },
    { kind: "dense", name: "body1" },
    { kind: "relu" },
    { kind: "dense", name: "body2" },
    { kind: "relu" },
    { kind: "dense", name: "head" },
  ],
};

/** Weights that two branches share, whose images differ in size: a dense layer's, a convolution's, and a parameter's that is added twice. */
const pyramid: Case = {
  definition: {
    name: "pyramid",
    forward(layers, images) {
      const moved = add(images, layers.parameter("shift", [4, 8, 2]) as never);
      const whole = add(moved, layers.parameter("shift", [4, 8, 2]) as never);
      const branch = (x: typeof images) => {
        const seen = relu(layers.convolution("conv", x, { filters: 3, size: 3, pad: 1 }));
        return globalAverage(layers.dense("mix", seen, 4));
      };
      return layers.dense("head", add(branch(whole), branch(averagePool(whole, 2))), 4);
    },
  },
  inputShape: [4, 8, 2],
  classes: 4,
  shapes: {
    shift: [4, 8, 2],
    "conv.weight": [3, 2, 3, 3],
    "conv.bias": [3],
    "mix.weight": [4, 3],
    "mix.bias": [4],
    "head.weight": [4, 4],
    "head.bias": [4],
  },
  unshared: {
    shift1: ["shift", [4, 8, 2]],
    shift2: ["shift", [4, 8, 2]],
    "conv1.weight": ["conv.weight", [3, 2, 3, 3]],
    "conv1.bias": ["conv.bias", [3]],
    "mix1.weight": ["mix.weight", [4, 3, 1, 1]],
    "mix1.bias": ["mix.bias", [4]],
    "conv2.weight": ["conv.weight", [3, 2, 3, 3]],
    "conv2.bias": ["conv.bias", [3]],
    "mix2.weight": ["mix.weight", [4, 3, 1, 1]],
    "mix2.bias": ["mix.bias", [4]],
    "head.weight": ["head.weight", [4, 4]],
    "head.bias": ["head.bias", [4]],
  },
  twin: [
    { kind: "parameter", name: "shift1" },
    { kind: "parameter", name: "shift2" },
    {
      kind: "sum",
      branches: [branchTwin(1), [{ kind: "averagePool" }, ...branchTwin(2)]],
    },
    { kind: "dense", name: "head" },
  ],
};

function branchTwin(branch: number): Layer[] {
  return [
    { kind: "conv", name: `conv${branch}`, stride: 1, pad: 1 },
    { kind: "relu" },
    { kind: "conv", name: `mix${branch}`, stride: 1, pad: 0 },
    { kind: "globalAverage" },
  ];
}

/** Adds up the parts of a Jacobian that belong to one parameter of the network. */
function joinShared(network: Case, jacobian: Jacobian): Jacobian {
  const offsets = new Map<string, number>();
  let length = 0;
  for (const [name, shape] of Object.entries(network.shapes)) {
    offsets.set(name, length);
    length += shape.reduce((a, b) => a * b, 1);
  }
  return jacobian.map((logits) =>
    logits.map((gradient) => {
      const joined = new Float64Array(length);
      let at = 0;
      for (const [shared, shape] of Object.values(network.unshared)) {
        const size = shape.reduce((a, b) => a * b, 1);
        for (let i = 0; i < size; i++) joined[offsets.get(shared)! + i] += gradient[at++];
      }
      return joined;
    })
  );
}

for (const network of [tokens(3, 5), tokens(5, 7), tokens(1, 2), repeated, pyramid]) {
  const { definition, inputShape, unshared, twin } = network;
  testEngine(`${definition.name}: kernels are exactly those of full Jacobians`, async (engine) => {
    const weights = drawExactWeights(network, 5);
    const data = drawImages(network, 7, 3);
    const twinWeights = new Map<string, Numbers>(
      Object.entries(unshared).map(([name, [shared, shape]]) => [
        name,
        { shape, data: weights.get(shared)!.data },
      ]),
    );
    const jacobian = joinShared(network, computeJacobian(twin, twinWeights, toNumbers(data)));
    const expected = lpntk(jacobian, data.labels, jacobian, data.labels);
    assert.ok(expected.data.filter((value) => value !== 0).length > 40);
    using built = engine.network(definition, weights, inputShape);
    using rows = await engine.project(built, data);
    assert.deepEqual([...await computeGram(rows)], [...expected.data]);
    const { layout } = await engine.estimate(built, { count: 7 });
    assert.deepEqual(
      layout.segments.map(({ layer }) => layer),
      built.layers.map(({ name }) => name),
    );
    const read = await built.weights();
    for (const [name, { data, shape }] of weights) {
      assert.deepEqual(read.get(name), { data, shape }, name);
    }
  });
}

testEngine("a shared layer is trained by the sum of its places' gradients", async (engine) => {
  const { definition, inputShape } = repeated;
  const apart: NetworkDefinition = {
    name: "apart",
    forward(layers, images) {
      const first = relu(layers.dense("body1", flatten(images), 6));
      return layers.dense("head", relu(layers.dense("body2", first, 6)), layers.classes);
    },
  };
  const weights = drawExactWeights(repeated, 3);
  const data = drawImages(repeated, 8, 3);
  const options = { epochs: 1, batch: 8, learningRate: 1, momentum: 0, weightDecay: 0 };
  using shared = engine.network(definition, weights, inputShape);
  using own = engine.network(
    apart,
    new Map(
      ["head", "body1", "body2"].flatMap((layer) =>
        ["weight", "bias"].map((part) =>
          [`${layer}.${part}`, weights.get(`${layer.replace(/\d/, "")}.${part}`)!] as const
        )
      ),
    ),
    inputShape,
  );
  const { weights: together } = await engine.train(shared, data, options);
  const { weights: separate } = await engine.train(own, data, options);
  const start = weights.get("body.weight")!.data;
  const [sum, first, second] = [
    together.get("body.weight")!.data,
    separate.get("body1.weight")!.data,
    separate.get("body2.weight")!.data,
  ];
  start.forEach((value, i) => {
    const expected = first[i] + second[i] - value;
    assert.ok(Math.abs(sum[i] - expected) < 1e-6, `${sum[i]} for ${expected}`);
  });
  assert.ok(start.some((value, i) => Math.abs(first[i] - value) > 1e-3));
  assert.ok(start.some((value, i) => Math.abs(second[i] - value) > 1e-3));
});

testEngine("a constant acts as a parameter of its values does, and is none", async (engine) => {
  const inputShape = [4, 3, 2] as const;
  const values = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i + 1));
  const define = (add: "constant" | "parameter"): NetworkDefinition => ({
    name: add,
    forward(layers, images) {
      const moved = multiply(
        images,
        add === "constant"
          ? layers.constant(values, inputShape)
          : layers.parameter("shift", inputShape, { initial: values }),
      );
      return layers.dense("head", flatten(moved), layers.classes);
    },
  });
  const source = { seed: 3, classes: 4 };
  using constant = engine.network(define("constant"), source, [...inputShape]);
  using parameter = engine.network(define("parameter"), source, [...inputShape]);
  assert.deepEqual(constant.layers.map(({ name }) => name), ["head"]);
  assert.deepEqual((await parameter.weights()).get("shift"), {
    shape: [...inputShape],
    data: values,
  });
  const data = drawImages({ inputShape, classes: 4 }, 7, 5);
  using own = await engine.project(constant, data);
  using other = await engine.project(parameter, data, { layers: ["head"] });
  using all = await engine.project(parameter, data);
  const kernel = await computeGram(own);
  assert.deepEqual(kernel, await computeGram(other));
  assert.notDeepEqual(kernel, await computeGram(all));
});
