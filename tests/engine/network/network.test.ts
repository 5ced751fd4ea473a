/** Images to kernels through the engine, against full Jacobians in float64. @module */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { type Dataset, takeFirst, takeSamples } from "../../../engine/data/dataset.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../engine/formats/safetensors.ts";
import { type Engine, openEngine } from "../../../engine/engine.ts";
import { DataError, NonFiniteError, WeightsError } from "../../../engine/errors.ts";
import { computeGram } from "../../../engine/kernel/gram.ts";
import type { Residence } from "../../../engine/rows/plan.ts";
import { PackedRows } from "../../../engine/rows/rows.ts";
import { computeSelfSimilarity } from "../../../engine/kernel/self_similarity.ts";
import { add, flatten, type NetworkDefinition, relu } from "../../../engine/network/definition.ts";
import { DeviceNetwork, type Network } from "../../../engine/network/network.ts";
import type { Weights } from "../../../engine/network/parameters.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { findRedundant } from "../../../engine/samples/redundancy.ts";
import {
  contractEntk,
  contractJacobian,
  entk,
  plainCotangents,
  pntk,
  signedCotangents,
  signVector,
} from "../../../engine/reference/kernels.ts";
import { gramRows } from "../../../engine/reference/gram.ts";
import {
  computeJacobian,
  computeLogits,
  type Jacobian,
} from "../../../engine/reference/network.ts";
import { assertClose, dotBound } from "../../../engine/reference/numbers.ts";
import { sizeOf } from "../../../engine/reference/tensor.ts";
import { canMount, openDisk } from "../../cli/disk.ts";
import { drawNumbers } from "../gpu/open.ts";
import { pretend } from "../gpu/environment.ts";
import { entkOf, kernelOf, testEngine } from "../open_engine.ts";
import {
  absolute,
  absoluteWeights,
  branched,
  countForwardSteps,
  countSteps,
  drawExactWeights,
  drawImages,
  drawWeights,
  grouped,
  pooled,
  residual,
  smooth,
  strided,
  type TinyNetwork,
  toNumbers,
  wide,
} from "./tiny_networks.ts";

function build(engine: Engine, network: TinyNetwork, weights: Weights): Network {
  return engine.network(network.definition, weights, network.inputShape);
}

/** Computes the Gram matrix of unpacked rows. */
function gramOf(rows: readonly Float64Array[], others: readonly Float64Array[] = rows) {
  return gramRows(rows, others, [{ kind: "plain", offset: 0, length: rows[0].length }]);
}

/** Asserts that a network is alive, so that an error would show: most parameters must act on some logit of some sample. */
function assertAlive(jacobian: Jacobian): void {
  const parameters = jacobian[0][0].map((_, p) =>
    jacobian.some((logits) => logits.some((gradient) => gradient[p] !== 0)) ? 1 : 0
  );
  const share = parameters.reduce((sum, acts) => sum + acts) / parameters.length;
  assert.ok(share > 0.7, `only ${share} of the parameters act`);
}

const exactly = () => 0;

// Small integers make every product and sum exact in float32, in any order: no tolerance is needed.

const EXACT = [
  { network: strided(4), levels: 7, seed: 1 },
  { network: pooled(4), levels: 43, seed: 11 },
  { network: residual(4), levels: 5, seed: 1 },
  { network: branched(4), levels: 3, seed: 1 },
  { network: grouped(4), levels: 3, seed: 1 },
];

for (const { network, levels, seed } of EXACT) {
  const { name } = network.definition;

  testEngine(
    `${name}: logits and every kernel are exactly those of full Jacobians`,
    async (engine) => {
      const weights = drawExactWeights(network, seed);
      const data = drawImages(network, 6, levels);
      const [train, test] = [takeFirst(data, 4), takeSamples(data, [4, 5])];
      using built = build(engine, network, weights);
      const logits = computeLogits(network.twin, weights, toNumbers(data));
      assertClose(await engine.logits(built, data), logits.data, exactly, "logits");

      const jacobian = computeJacobian(network.twin, weights, toNumbers(train));
      assertAlive(jacobian);
      const testJacobian = computeJacobian(network.twin, weights, toNumbers(test));
      const signs = ({ labels }: Dataset) =>
        Array.from(labels, (label) => signVector(label, network.classes));
      const full = entk(jacobian, jacobian);
      const cross = entk(jacobian, testJacobian);
      assertClose(await entkOf(engine, built, train), full.data, exactly, "eNTK");
      assertClose(
        await entkOf(engine, built, train, test),
        cross.data,
        exactly,
        "eNTK with other samples",
      );
      assertClose(
        await kernelOf(engine, built, train),
        contractEntk(full, signs(train), signs(train)).data,
        exactly,
        "lpNTK",
      );
      for (const convolutions of ["contracted", "factored"] as const) {
        assertClose(
          await kernelOf(engine, built, train, { convolutions, others: test }),
          contractEntk(cross, signs(train), signs(test)).data,
          exactly,
          `lpNTK, convolutions ${convolutions}`,
        );
      }
      assertClose(
        await kernelOf(engine, built, train, { others: test }),
        contractEntk(cross, signs(train), signs(test)).data,
        exactly,
        "lpNTK with other samples",
      );
      assertClose(
        await kernelOf(engine, built, train, { kind: "pntk", others: test }),
        pntk(jacobian, testJacobian).data,
        exactly,
        "pNTK with other samples",
      );
    },
  );
}

testEngine("more samples than one batch are projected exactly", async (engine) => {
  const network = strided(4);
  const weights = drawExactWeights(network, 1);
  const data = drawImages(network, 300, 7);
  using built = build(engine, network, weights);
  const progress: [number, number][] = [];
  using rows = await engine.project(built, data, { onProgress: (...step) => progress.push(step) });
  assert.ok(progress.length > 1, "one batch only");
  assert.deepEqual(progress.at(-1), [300, 300]);
  const jacobian = computeJacobian(network.twin, weights, toNumbers(data));
  assertAlive(jacobian);
  const twin = gramOf(contractJacobian(jacobian, signedCotangents(data.labels, 4)));
  assertClose(await computeGram(rows), twin.value, exactly, "lpNTK");
  const logits = computeLogits(network.twin, weights, toNumbers(data));
  assertClose(await engine.logits(built, data), logits.data, exactly, "logits");
});

testEngine(
  "passes of fewer images than a panel fill long rows, batch by batch and slice by slice",
  async (engine) => {
    const definition: NetworkDefinition = {
      name: "large",
      forward(layers, images) {
        const first = relu(layers.convolution("conv1", images, { filters: 16, size: 1 }));
        const second = layers.convolution("conv2", first, { filters: 12, size: 7, stride: 40 });
        return layers.dense("fc", flatten(second), layers.classes);
      },
    };
    const inputShape = [200, 200, 1] as const;
    using network = engine.network(definition, { seed: 1, classes: 2 }, inputShape);
    const data = drawImages({ inputShape, classes: 2 }, 34, 251);
    using rows = await engine.project(network, data);
    assert(rows instanceof PackedRows);
    assert.ok(rows.slices.length > 1, "one slice only");
    const kernel = await computeGram(rows);
    // a pass of 32 images at most, each part then in one
    assert(network instanceof DeviceNetwork);
    const size = Math.min(32, network.batchLimit);
    const parts = [size, 34 - size].map((count, i) =>
      takeSamples(data, Array.from({ length: count }, (_, n) => i * size + n))
    );
    using left = await engine.project(network, parts[0]);
    using right = await engine.project(network, parts[1]);
    const place = (matrix: Float32Array, width: number, row: number, column: number) =>
      matrix.forEach((value, i) => {
        const at = (row + Math.floor(i / width)) * 34 + column + i % width;
        assert.equal(value, kernel[at], `${at}`);
      });
    place(await computeGram(left), size, 0, 0);
    place(await computeGram(left, right), 34 - size, 0, size);
    place(await computeGram(right), 34 - size, size, size);
  },
);

testEngine(
  "rows on the device, in a file and computed anew for every tile give the same answers",
  async (engine) => {
    const network = wide(3);
    const data = drawImages(network, 131, 251);
    using built = build(engine, network, drawWeights(network, 5));
    const answer = async (residence: Residence, own: Float32Array | undefined) => {
      const options = { residence, cotangents: own, tileRows: 64 };
      using rows = await engine.project(built, data, options);
      assert.equal(rows.residence, residence);
      assert(rows instanceof PackedRows);
      assert.ok(rows.slices.length > 1, "one slice only");
      return [
        await computeGram(rows),
        await computeSelfSimilarity(rows),
        await clusterSamples(rows, { ratio: 0.1, perClass: data.labels }),
        await findRedundant(rows),
      ];
    };
    for (const own of [undefined, drawNumbers(1, 131 * 3)]) {
      const expected = await answer("device", own);
      for (const residence of ["file", "recomputed"] as const) {
        assert.ok(isDeepStrictEqual(await answer(residence, own), expected), residence);
      }
    }
  },
);

testEngine(
  "a full disk under the rows, or none, is one line, and leaves nothing",
  async (engine) => {
    await using disk = canMount ? await openDisk("4m") : undefined;
    if (!disk) return; // said by disk.ts
    const network = wide(3);
    using built = build(engine, network, drawWeights(network, 5));
    const data = drawImages(network, 131, 251);
    const project = async (folder: string) => {
      using _ = pretend({ TMPDIR: folder });
      await engine.project(built, data, { residence: "file", tileRows: 64 });
    };
    await assert.rejects(project(disk.path), {
      name: "FileError",
      message: /^Cannot write rows to .*no space left.*TMPDIR.*allow more memory/,
    });
    assert.deepEqual([...Deno.readDirSync(disk.path)], []);
    await assert.rejects(project(`${disk.path}/none`), {
      name: "FileError",
      message: /^Cannot make a file for rows in .*none: .*TMPDIR.*allow more memory/,
    });
  },
);

testEngine(
  "rows come in tiles of the size that is asked for, with the same kernel",
  async (engine) => {
    const network = strided(4);
    const data = drawImages(network, 131, 7);
    using built = build(engine, network, drawExactWeights(network, 1));
    using whole = await engine.project(built, data);
    const kernel = await computeGram(whole);
    for (const tileRows of [64, 128]) {
      using rows = await engine.project(built, data, { tileRows });
      assert(rows instanceof PackedRows);
      assert.deepEqual(
        rows.blocks.map(({ rowCount }) => rowCount),
        tileRows === 64 ? [64, 64, 3] : [128, 3],
      );
      assert.deepEqual(await computeGram(rows), kernel);
    }
    for (const tileRows of [0, 63, 65, NaN]) {
      await assert.rejects(engine.project(built, data, { tileRows }), RangeError, `${tileRows}`);
    }
    assert.equal(engine.planChunkRows(built), 1024);
  },
);

// Numbers of every size: the absolute network, which only adds, bounds what rounding can do.

const FRACTIONS = [
  { network: strided(3), seed: 3 },
  { network: pooled(7), seed: 11 },
  { network: residual(10), seed: 3 },
];

for (
  const { network, seed } of [
    ...FRACTIONS,
    { network: wide(3), seed: 5 },
    { network: grouped(3), seed: 3 },
  ]
) {
  const { name } = network.definition;

  testEngine(
    `${name}: logits and kernels of fractions are within rounding of full Jacobians`,
    async (engine) => {
      const weights = drawWeights(network, seed);
      const data = drawImages(network, 5, 251);
      using built = build(engine, network, weights);
      const images = toNumbers(data);
      const magnitude = computeLogits(
        network.twin,
        absoluteWeights(weights),
        absolute(images),
      );
      assertClose(
        await engine.logits(built, data),
        computeLogits(network.twin, weights, images).data,
        (i) => dotBound(countForwardSteps(network), magnitude.data[i]),
        "logits",
      );
      const jacobian = computeJacobian(network.twin, weights, images);
      assertAlive(jacobian);
      const largest = computeJacobian(network.twin, absoluteWeights(weights), absolute(images));
      const plain = plainCotangents(5, network.classes);
      const bounds = gramOf(contractJacobian(largest, plain)).value;
      const length = 2 * countSteps(network) + jacobian[0][0].length;
      for (const kind of ["lpntk", "pntk"] as const) {
        const cotangents = kind === "lpntk"
          ? signedCotangents(data.labels, network.classes)
          : plain;
        assertClose(
          await kernelOf(engine, built, data, { kind }),
          gramOf(contractJacobian(jacobian, cotangents)).value,
          (i) => dotBound(length, bounds[i]),
          kind,
        );
      }
    },
  );
}

for (const { network, seed } of FRACTIONS) {
  testEngine(
    `${network.definition.name}: normalised rows multiply to cosines of full Jacobians`,
    async (engine) => {
      const weights = drawWeights(network, seed);
      const data = drawImages(network, 5, 251);
      using built = build(engine, network, weights);
      const jacobian = computeJacobian(network.twin, weights, toNumbers(data));
      const largest = computeJacobian(
        network.twin,
        absoluteWeights(weights),
        absolute(toNumbers(data)),
      );
      const plain = plainCotangents(5, network.classes);
      const magnitudes = gramOf(contractJacobian(largest, plain)).value;
      // 4 more: the cotangent's scale is rounded, and multiplied in, on both sides
      const length = 2 * countSteps(network) + jacobian[0][0].length + 4;
      const scaled = plain.map((row, n) => Float32Array.from(row, (value) => value * (n + 1)));
      const flat = Float32Array.from(scaled.flatMap((row) => [...row]));
      const cases = [
        { kind: "lpntk", by: signedCotangents(data.labels, network.classes) },
        { kind: "pntk", by: plain },
        { cotangents: flat, by: scaled },
      ] as const;
      for (const { by, ...options } of cases) {
        const exact = gramOf(contractJacobian(jacobian, by)).value;
        const bounds = magnitudes.map((m, i) =>
          "kind" in options ? m : m * (Math.floor(i / 5) + 1) * (i % 5 + 1)
        );
        const self = [0, 1, 2, 3, 4].map((n) => exact[n * 6]);
        // a relative error e of a self-similarity, up to 1/2, changes the row's scale by no more than e
        const errors = self.map((value, n) => dotBound(length, bounds[n * 6]) / value);
        assert.ok(Math.max(...errors) < 0.5, `${errors}`);
        const progress: [number, number][] = [];
        using rows = await engine.project(built, data, {
          ...options,
          normalise: true,
          onProgress: (...step) => progress.push(step),
        });
        const norm = (i: number) => Math.sqrt(self[Math.floor(i / 5)] * self[i % 5]);
        assertClose(
          await computeGram(rows),
          exact.map((value, i) => value / norm(i)),
          (i) => dotBound(length, bounds[i]) / norm(i) + errors[Math.floor(i / 5)] + errors[i % 5],
          "cosines",
        );
        assert.deepEqual(progress.at(-1), [10, 10]);
      }
    },
  );
}

testEngine("a projection of zeros has no direction, and is named", async (engine) => {
  const network = strided(3);
  using built = build(engine, network, drawWeights(network, 7));
  const data = drawImages(network, 70, 251);
  const cotangents = new Float32Array(70 * 3).fill(1, 0, 69 * 3);
  await assert.rejects(
    engine.project(built, data, { cotangents, normalise: true }),
    { name: "DataError", message: /zeros for sample 69,/ },
  );
});

testEngine(
  "the eNTK contracts to the pNTK, and to the lpNTK, which is symmetric, semi-definite and |phi|^2 on the diagonal",
  async (engine) => {
    const cases = fc.record({
      make: fc.constantFrom(strided, pooled, residual, branched),
      classes: fc.integer({ min: 2, max: 5 }),
      count: fc.integer({ min: 1, max: 4 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ make, classes, count, seed }) => {
        const network = make(classes);
        const weights = drawWeights(network, seed);
        const data = drawImages(network, count, 251);
        using built = build(engine, network, weights);
        using rows = await engine.project(built, data);
        const kernel = await computeGram(rows);
        const shape = [count, count, classes, classes];
        const full = { shape, data: Float64Array.from(await entkOf(engine, built, data)) };

        const largest = computeJacobian(
          network.twin,
          absoluteWeights(weights),
          absolute(toNumbers(data)),
        );
        const magnitude = gramOf(contractJacobian(largest, plainCotangents(count, classes))).value;
        const length = 2 * countSteps(network) + largest[0][0].length;
        const bound = (i: number) => dotBound(2 * length, magnitude[i]);
        const signs = Array.from(data.labels, (label) => signVector(label, classes));
        assertClose(kernel, contractEntk(full, signs, signs).data, bound, "signed eNTK");
        const ones = signs.map((sign) => sign.map(Math.abs));
        const plain = await kernelOf(engine, built, data, { kind: "pntk" });
        assertClose(plain, contractEntk(full, ones, ones).data, bound, "summed eNTK");

        const self = await computeSelfSimilarity(rows);
        for (let n = 0; n < count; n++) {
          assert.equal(kernel[n * count + n], self[n]);
          for (let m = 0; m < n; m++) assert.equal(kernel[n * count + m], kernel[m * count + n]);
        }
        const x = drawNumbers(seed, count);
        let [form, slack] = [0, 0];
        kernel.forEach((value, i) => {
          const weight = x[Math.floor(i / count)] * x[i % count];
          form += weight * value;
          slack += Math.abs(weight) * bound(i);
        });
        assert.ok(form >= -slack, `x^T K x = ${form}`);
      }),
      // one seed: a relu's input may once in thousands of runs round to the other side of 0
      { numRuns: 6, seed: 1 },
    );
  },
);

// Weights

testEngine("weights survive a file: the same logits bit for bit", async (engine) => {
  for (
    const network of [strided(3), pooled(3), residual(3), branched(3), grouped(3), smooth(3)]
  ) {
    const data = drawImages(network, 5, 251);
    const { inputShape } = network;
    using built = engine.network(network.definition, { seed: 4, classes: 3 }, inputShape);
    const weights = await built.weights();
    const shapes = Object.fromEntries([...weights].map(([name, { shape }]) => [name, shape]));
    assert.deepEqual(shapes, network.shapes);
    using again = build(engine, network, decodeSafetensors(encodeSafetensors(weights), "memory"));
    assert.deepEqual(await again.weights(), weights);
    assert.deepEqual(await engine.logits(again, data), await engine.logits(built, data));
  }
});

testEngine(
  "new weights are spread over 1/sqrt(inputs), the same for the same seed",
  async (engine) => {
    const { definition, inputShape } = strided(50);
    const draw = async (seed: number) => {
      using network = engine.network(definition, { seed, classes: 50 }, inputShape);
      return await network.weights();
    };
    const weights = await draw(1);
    assert.deepEqual(await draw(1), weights);
    assert.notDeepEqual(await draw(2), weights);
    for (
      const [name, inputs] of [["conv1.weight", 18], ["fc.weight", 30], ["fc.bias", 30]] as const
    ) {
      const { data } = weights.get(name)!;
      const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      const bound = 1 / Math.sqrt(inputs);
      // the largest of 50 uniform numbers stays under 0.8 of their bound once in 70,000 times
      assert.ok(largest <= bound && largest > 0.8 * bound, `${name}: ${largest}, not ${bound}`);
    }
  },
);

testEngine(
  "LeCun's new weights are normal with variance 1 / inputs, the same for the same seed",
  async (engine) => {
    const { definition, inputShape } = strided(5000);
    const draw = async (seed: number) => {
      const source = { seed, classes: 5000, initialisation: "lecun" } as const;
      using network = engine.network(definition, source, inputShape);
      return await network.weights();
    };
    const weights = await draw(1);
    assert.deepEqual(await draw(1), weights);
    assert.notDeepEqual(await draw(2), weights);
    const { data } = weights.get("fc.weight")!;
    const moment = (power: number) =>
      data.reduce((sum, value) => sum + (value * Math.sqrt(30)) ** power, 0) / data.length;
    // moments of the standard normal distribution: 0, 1, 0, 3, each mean within five of its standard errors
    for (const [power, mean, variance] of [[1, 0, 1], [2, 1, 2], [3, 0, 15], [4, 3, 96]]) {
      const error = Math.abs(moment(power) - mean);
      assert.ok(error < 5 * Math.sqrt(variance / data.length), `moment ${power}: off by ${error}`);
    }
    for (const name of ["conv2.bias", "fc.bias"]) {
      assert.ok(weights.get(name)!.data.every((value) => value === 0), name);
    }
    const convolution = weights.get("conv1.weight")!.data;
    assert.ok(new Set(convolution).size === convolution.length, "drawn more than once");
  },
);

testEngine(
  "weights that do not fit are refused by the tensors' names, all together, and leave nothing",
  async (engine) => {
    const network = branched(3);
    const refuse = (
      change: (weights: Weights) => void,
      tensors: readonly string[],
      ...says: string[]
    ) => {
      const weights = drawWeights(network, 5);
      change(weights);
      assert.throws(() => build(engine, network, weights), (error) => {
        assert.ok(error instanceof WeightsError, `${error}`);
        assert.deepEqual(error.tensors, tensors);
        for (const part of says) assert.ok(error.message.includes(part), error.message);
        for (const tensor of tensors) assert.ok(error.message.includes(`'${tensor}'`));
        assert.ok(!error.message.includes("\n"));
        return true;
      });
    };
    const reshape = (name: string, ...shape: number[]) => (weights: Weights) => {
      weights.set(name, { shape, data: new Float32Array(sizeOf(shape)) });
    };
    for (const name of Object.keys(network.shapes)) {
      refuse((weights) => weights.delete(name), [name], `missing '${name}' [`);
      for (const [index, value] of [[0, NaN], [1, Infinity], [2, -Infinity]]) {
        const spoil = (weights: Weights) => weights.get(name)!.data[index] = value;
        refuse(spoil, [name], `unusable '${name}' with ${value} at index ${index}`);
      }
    }
    for (
      const [name, shape, need] of [
        ["stem.weight", [3, 3, 3, 2], "[outputs, 2, 3, 3]"],
        ["stem.weight", [3, 2, 9], "[outputs, 2, 3, 3]"],
        ["block2.conv.weight", [4, 36], "[outputs, 4, 3, 3]"],
        ["block2.conv.bias", [5], "[4]"],
        ["head1.weight", [3, 4], "[outputs, 3]"],
        ["head1.bias", [1, 3], "[3]"],
        ["norm.running_var", [4], "[3]"],
      ] as const
    ) {
      refuse(
        reshape(name, ...shape),
        [name],
        `misshapen '${name}' [${shape.join(", ")}] for ${need}`,
      );
    }
    refuse(
      (weights) => {
        weights.delete("stem.weight");
        weights.delete("norm.running_mean");
        reshape("head2.weight", 3, 5)(weights);
        weights.get("head1.bias")!.data[1] = NaN;
        reshape("fc9.weight", 2, 2)(weights);
        reshape("fc9.bias", 2)(weights);
      },
      ["stem.weight", "norm.running_mean", "head1.bias", "head2.weight", "fc9.weight", "fc9.bias"],
      "branched: got missing 'stem.weight' [outputs, 2, 3, 3], 'norm.running_mean' [3]; unusable 'head1.bias' with NaN at index 1; ",
      "misshapen 'head2.weight' [3, 5] for [outputs, 4]; extra 'fc9.weight', 'fc9.bias'; need ",
    );
    // a width of its own makes the branches different, which is the weights' fault, not the definition's
    refuse(
      (weights) => {
        reshape("block1.shortcut.weight", 5, 3, 1, 1)(weights);
      },
      ["block1.shortcut.bias"],
      "misshapen 'block1.shortcut.bias' [4] for [5]",
    );
    const negative = drawWeights(network, 5);
    negative.get("norm.running_var")!.data[1] = -0.8;
    assert.throws(() => build(engine, network, negative), {
      name: "WeightsError",
      message: /'norm': got running_var -0.8\d* at index 1/,
    });
    await Promise.resolve();
  },
);

testEngine("weights of another network name no more than some of the tensors", async (engine) => {
  const weights: Weights = new Map(
    Array.from({ length: 20 }, (_, i) => [`${i}`, { shape: [1], data: Float32Array.of(0) }]),
  );
  assert.throws(() => build(engine, branched(3), weights), (error) => {
    assert.ok(error instanceof WeightsError);
    assert.equal(error.tensors.length, 33);
    assert.match(
      error.message,
      /'block1.shortcut.bias' \[4\] and 5 more; extra '0', .*'7' and 12 more;/,
    );
    return true;
  });
  await Promise.resolve();
});

testEngine("what a wrapper puts before every name is taken off, and told", async (engine) => {
  const network = branched(3);
  const weights = drawWeights(network, 5);
  const data = drawImages(network, 2, 9);
  using built = build(engine, network, weights);
  assert.deepEqual(built.loading, { prefix: "", leftOut: [] });
  const logits = await engine.logits(built, data);
  const rename = (change: (name: string) => string): Weights =>
    new Map([...weights].map(([name, tensor]) => [change(name), tensor]));
  for (const prefix of ["module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module."]) {
    const wrapped = rename((name) => prefix + name);
    wrapped.set(`${prefix}norm.num_batches_tracked`, {
      shape: [],
      data: Float32Array.of(7),
      dtype: "I64",
    });
    using unwrapped = build(engine, network, wrapped);
    assert.deepEqual(unwrapped.loading, { prefix, leftOut: [] });
    assert.deepEqual(await engine.logits(unwrapped, data), logits);
    assert.deepEqual(new Map([...await unwrapped.weights()].sort()), new Map([...weights].sort()));
  }
  // weights as PyTorch's AveragedModel writes them: its counter has no prefix, and is no weight
  const averaged = rename((name) => `module.${name}`);
  averaged.set("n_averaged", { shape: [], data: Float32Array.of(3), dtype: "I64" });
  averaged.set("mask", { shape: [2], data: Float32Array.of(0, 1), dtype: "U8" });
  using average = build(engine, network, averaged);
  assert.deepEqual(average.loading, { prefix: "module.", leftOut: ["n_averaged", "mask"] });
  // a network whose own names begin with the prefix keeps them, wrapped or not
  const inner: NetworkDefinition = {
    name: "inner",
    forward: (layers, images) => layers.dense("model.fc", layers.flatten(images), layers.classes),
  };
  const own: Weights = new Map([
    ["model.fc.weight", { shape: [3, 4], data: drawNumbers(1, 12) }],
    ["model.fc.bias", { shape: [3], data: drawNumbers(2, 3) }],
  ]);
  using kept = engine.network(inner, own, [2, 2, 1]);
  assert.equal(kept.loading.prefix, "");
  const twice = new Map([...own].map(([name, tensor]) => [`module.${name}`, tensor]));
  using again = engine.network(inner, twice, [2, 2, 1]);
  assert.equal(again.loading.prefix, "module.");
  // a prefix before some names alone, or an unknown one, belongs to the file's names
  const mixed = rename((name) => name === "stem.weight" ? name : `module.${name}`);
  assert.throws(() => build(engine, network, mixed), WeightsError);
  assert.throws(() => build(engine, network, rename((name) => `net.${name}`)), {
    message: /missing 'stem.weight'.*extra 'net.stem.weight'/,
  });
  // the first tensor is missing, and is all that is
  const without = rename((name) => `module.${name}`);
  without.delete("module.stem.weight");
  assert.throws(() => build(engine, network, without), { tensors: ["stem.weight"] });
});

testEngine(
  "whole numbers and flags beside the weights are left out and told, in their place they are refused",
  async (engine) => {
    const network = strided(3);
    const weights = drawWeights(network, 5);
    const buffer = (dtype: string) => ({ shape: [2], data: Float32Array.of(0, 1), dtype });
    using built = build(
      engine,
      network,
      new Map([...weights, ["mask", buffer("BOOL")], ["steps", buffer("U8")]]),
    );
    assert.deepEqual(built.loading.leftOut, ["mask", "steps"]);
    const quantised = new Map(weights);
    quantised.set("fc.weight", { ...weights.get("fc.weight")!, dtype: "I8" });
    assert.throws(() => build(engine, network, quantised), {
      name: "WeightsError",
      tensors: ["fc.weight"],
      message: /unusable 'fc.weight' of dtype I8/,
    });
    const extra = new Map([...weights, ["mask", { shape: [1], data: Float32Array.of(1) }]]);
    assert.throws(() => build(engine, network, extra), { message: /extra 'mask'/ });
    await Promise.resolve();
  },
);

testEngine("a batch norm's count of batches is read over", async (engine) => {
  const network = branched(3);
  const weights = drawWeights(network, 5);
  using built = build(engine, network, weights);
  const counted = new Map([...weights, ["norm.num_batches_tracked", {
    shape: [],
    data: Float32Array.of(7),
  }]]);
  using again = build(engine, network, counted);
  const data = drawImages(network, 2, 9);
  assert.deepEqual(await engine.logits(again, data), await engine.logits(built, data));
});

// Bounds from absolute networks do not hold for smooth activations, and are wide for networks as deep as `branched`. The seeds are of networks that
// are alive.
for (const [network, seed] of [[smooth(3), 5], [branched(3), 3]] as const) {
  testEngine(
    `${network.definition.name}: logits and eNTK are near the twin's, and the same call gives the same bits`,
    async (engine) => {
      const weights = drawWeights(network, seed);
      const data = drawImages(network, 5, 9);
      using built = build(engine, network, weights);
      const near = (actual: Float32Array, expected: Float64Array, label: string) => {
        const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
        // the tolerance of the golden kernels
        assertClose(actual, expected, () => 1e-5 * largest, label);
      };
      const images = toNumbers(data);
      const logits = computeLogits(network.twin, weights, images);
      near(await engine.logits(built, data), logits.data, "logits");
      const jacobian = computeJacobian(network.twin, weights, images);
      assertAlive(jacobian);
      const full = await entkOf(engine, built, data);
      near(full, entk(jacobian, jacobian).data, "eNTK");
      assert.deepEqual(await entkOf(engine, built, data), full);
    },
  );
}

testEngine("a kernel is the sum of its layers' kernels, exactly", async (engine) => {
  const network = branched(4);
  using built = build(engine, network, drawExactWeights(network, 1));
  const data = drawImages(network, 5, 3);
  const names = built.layers.map(({ name }) => name);
  const whole = await kernelOf(engine, built, data);
  const sum = new Float32Array(whole.length);
  for (const layers of [names.slice(1, 3), [names[0]], names.slice(3).reverse()]) {
    const part = await kernelOf(engine, built, data, { layers });
    assert.ok(part.some((value) => value !== 0));
    part.forEach((value, i) => sum[i] += value);
  }
  assert.deepEqual(sum, whole);
  for (const layers of [[], ["stem", "nor"], "stem", [undefined]]) {
    await assert.rejects(engine.project(built, data, { layers: layers as string[] }), {
      name: "RangeError",
      message:
        /branched: got (none|nor|"stem"|undefined), need some of stem, norm.weight, norm.bias, block1.conv, /,
    });
  }
  await assert.rejects(engine.project(built, data, { layers: ["block1_conv"] }), {
    message: /got block1_conv, need .*; did you mean block1.conv\?$/,
  });
  const { layout } = await engine.estimate(built, { count: 5, layers: names.slice(1, 3) });
  assert.deepEqual(layout.segments.map(({ layer }) => layer), names.slice(1, 3));
  const misspelt: [call: () => Promise<unknown>, message: RegExp][] = [
    [
      () => engine.project(built, data, { normalize: true } as never),
      /normalize is normalise here/,
    ],
    [
      () => engine.project(built, data, { kind: "lpNTK" as never }),
      /got kind "lpNTK", need "lpntk" or "pntk" or "entk"$/,
    ],
    [
      () => engine.measureSketch(built, data, { kind: "lpNTK" } as never),
      /got kind "lpNTK", need "lpntk" or "pntk" or "entk"$/,
    ],
    [() => engine.project(built, data, { seeds: "pntk" } as never), /; seeds is kind here$/],
    [
      () => engine.project(built, data, { cotangents: [1, 2, 3] } as never),
      /^Cannot project .*: got cotangents \[1,2,3\], need a Float32Array \[5, 4\]$/,
    ],
    [
      () => engine.project(built, data, { cotangents: "pntk" } as never),
      /^Cannot project .*: got cotangents "pntk", need a Float32Array \[5, 4\]$/,
    ],
    [
      () => engine.project(built, data, { kind: "pntk", cotangents: new Float32Array(20) }),
      /^Cannot project .*: got both kind pntk and cotangents, need one of them$/,
    ],
    [() => engine.project(built, data, { residence: "disk" as never }), /got residence "disk"/],
    [() => engine.estimate(built, { counts: 5 } as never), /did you mean count\?/],
    [() => engine.tune({ refresh: true } as never), /did you mean fresh\?/],
    [() => engine.measureSketch(built, data, { sketches: 1 } as never), /did you mean sketch\?/],
    [() => engine.train(built, data, { learning_rate: 1 } as never), /did you mean learningRate\?/],
  ];
  for (const [call, message] of misspelt) {
    await assert.rejects(call, { name: "TypeError", message });
  }
});

testEngine("weights alone leave norms out, after layers were chosen", async (engine) => {
  const network = branched(4);
  using built = build(engine, network, drawExactWeights(network, 1));
  const data = drawImages(network, 5, 3);
  const matrices = built.layers.filter(({ kind }) => kind !== "parameter").map(({ name }) => name);
  const expected = await kernelOf(engine, built, data, { layers: matrices });
  assert.deepEqual(await kernelOf(engine, built, data, { parameters: "weights" }), expected);
  assert.notDeepEqual(await kernelOf(engine, built, data, { parameters: "all" }), expected);
  const count = 5;
  const listed = async (layers: string[], parameters: "weights") => {
    const { layout } = await engine.estimate(built, { count, layers, parameters });
    return layout.segments.map(({ layer }) => layer);
  };
  assert.deepEqual(await listed(["norm", "stem"], "weights"), ["stem"]);
  const sketch = { dimension: 40, seed: 0 };
  const { exactLength } = await engine.measureSketch(built, data, {
    sketch,
    parameters: "weights",
  });
  const { layout } = await engine.estimate(built, { count, parameters: "weights" });
  assert.equal(exactLength, layout.length);
  await assert.rejects(listed(["norm"], "weights"), {
    name: "RangeError",
    message:
      "Cannot project through weights of branched: got norm, which has none, need a convolution or dense layer among them, or all parameters",
  });
  assert.throws(() => built.select(undefined, "weight" as never), {
    name: "TypeError",
    message: /got parameters "weight", need "all" or "weights"$/,
  });
});

testEngine("what is no data set, no network or no number of samples is refused", async (engine) => {
  const network = strided(3);
  const data = drawImages(network, 4, 7);
  using built = build(engine, network, drawWeights(network, 6));
  const refused: [call: () => Promise<unknown>, name: string, message: RegExp][] = [
    [() => engine.train(built, data, { test: 5 } as never), "TypeError", /got 5, need a data set/],
    [() => engine.train(built, null as never), "TypeError", /got null, need a data set as create/],
    [() => engine.logits(built, {} as never), "TypeError", /got {}, need a data set/],
    [() => engine.project(built, undefined as never), "TypeError", /got nothing, need a data set/],
    [
      () => engine.project(network.definition as never, data),
      "TypeError",
      /for a network, need one of engine.network/,
    ],
    [
      () => engine.project(built, data, { tileRows: "64" as never }),
      "RangeError",
      /got tiles of "64" rows, need a multiple of 64$/,
    ],
    [() => engine.estimate(built, { count: -1 }), "RangeError", /got count -1, need a positive/],
    [() => engine.estimate(built, { count: 5, others: -1 }), "RangeError", /got others -1, need/],
    [() => engine.estimate(built, { count: 5, groups: NaN }), "RangeError", /got groups NaN, need/],
    [
      () => engine.trainEnsemble(built, data, [[0, 1]], { momentum: "0" } as never),
      "RangeError",
      /^Cannot train an ensemble: got momentum "0", need a number from 0 to below 1$/,
    ],
  ];
  for (const [call, name, message] of refused) await assert.rejects(call, { name, message });
});

testEngine("layers that are taken apart, or copied, are those of the pass", (engine) => {
  const definition: NetworkDefinition = {
    name: "apart",
    forward({ convolution, batchNorm, dropout, dense, flatten, relu, classes }, images) {
      const seen = relu(batchNorm("norm", convolution("conv", images, { filters: 2, size: 3 })));
      return dense("fc", dropout(flatten(seen), 0.5), classes);
    },
  };
  const copied: NetworkDefinition = {
    name: "copied",
    forward: (layers, images) => definition.forward({ ...layers }, images),
  };
  for (const each of [definition, copied]) {
    using network = engine.network(each, { seed: 0, classes: 3 }, [4, 4, 1]);
    assert.deepEqual(network.layers.map(({ name }) => name), [
      "conv",
      "norm.weight",
      "norm.bias",
      "fc",
    ]);
    assert.equal(network.classes, 3);
  }
  return Promise.resolve();
});

testEngine("a layer that the logits do not depend on adds nothing to a kernel", async (engine) => {
  const network = strided(3);
  const { definition } = network;
  const weights = drawWeights(network, 5);
  const dead: Weights = new Map([...weights, ["dead.weight", {
    shape: [2, 7 * 6 * 2],
    data: drawNumbers(9, 2 * 7 * 6 * 2),
  }]]);
  const forward: NetworkDefinition["forward"] = (layers, images) => {
    layers.dense("dead", flatten(images), 2, { bias: false });
    return definition.forward(layers, images);
  };
  const data = drawImages(network, 4, 9);
  using built = build(engine, network, weights);
  using idle = build(engine, { ...network, definition: { ...definition, forward } }, dead);
  assert.deepEqual(await kernelOf(engine, idle, data), await kernelOf(engine, built, data));
});

testEngine("what a definition gets wrong is said to be its fault", async (engine) => {
  const cases: [NetworkDefinition["forward"], RegExp][] = [
    [() => {
      throw new TypeError("no such thing");
    }, /^Cannot build mine: its forward pass over images \[N, 8, 7, 2\] threw TypeError: no such/],
    [() => undefined as never, /got nothing from its forward pass, need logits \[N, 3\]/],
    [() => Promise.resolve() as never, /got a promise from its forward pass/],
    [(_, images) => images as never, /got \[N, 8, 7, 2\] from its forward pass/],
    [
      (layers, images) => layers.dense("fc", flatten(images), 4),
      /got \[N, 4\].*need logits \[N, 3\]/,
    ],
    [(layers, images) => {
      const wide = layers.convolution("a", images, { filters: 2, size: 1 });
      const small = layers.convolution("b", images, { filters: 2, size: 3 });
      return add(wide, small) as never;
    }, /^Cannot add: got \[N, 8, 7, 2\] and \[N, 6, 5, 2\]/],
    [
      (layers, images) =>
        layers.dense("fc", flatten(images), engine.limits.maxStorageBufferBindingSize / 4),
      /^Cannot hold fc.weight \[112, \d+\]: got \d+ numbers, need at most \d+ on this device/,
    ],
    [
      (layers, images) => {
        layers.batchNorm("a", images);
        return layers.dense("a", flatten(images), 3);
      },
      /^Cannot use layer 'a': got a dense whose tensors have the names of those of parameter 'a.weight'/,
    ],
  ];
  for (const [forward, message] of cases) {
    assert.throws(
      () => engine.network({ name: "mine", forward }, { seed: 0, classes: 3 }, [8, 7, 2]),
      { message },
    );
  }
  await Promise.resolve();
});

testEngine("training leaves a batch norm's statistics as they are", async (engine) => {
  const network = branched(3);
  using built = engine.network(network.definition, { seed: 1, classes: 3 }, network.inputShape);
  const before = await built.weights();
  const { weights } = await engine.train(built, drawImages(network, 9, 5), { epochs: 2, batch: 4 });
  for (const [name, { data }] of before) {
    const compare: typeof assert.deepEqual = name.startsWith("norm.running_")
      ? assert.deepEqual
      : assert.notDeepEqual;
    compare(weights.get(name)!.data, data, name);
  }
  assert.deepEqual([...before.get("norm.running_var")!.data], [1, 1, 1]);
});

testEngine(
  "a definition may not use a name for two kinds of weights, nor convolve or pool what is too small",
  async (engine) => {
    const source = { seed: 0, classes: 2 };
    assert.throws(
      () =>
        engine.network({
          name: "twice",
          forward(layers, images) {
            const first = layers.convolution("conv", images, { filters: 2, size: 1 });
            return layers.convolution("conv", first, { filters: 2, size: 1 }) as never;
          },
        }, source),
      {
        name: "LayerError",
        layer: "conv",
        message:
          "Cannot use layer 'conv' again: got a convolution over 1 x 1 x 2 inputs with bias where it was a convolution over 1 x 1 x 1 inputs with bias, need the same at each place, or a name of its own",
      },
    );
    const { definition } = strided(2);
    assert.throws(() => engine.network(definition, source, [2, 6, 2]), {
      name: "LayerError",
      option: "size",
    });
    assert.throws(
      () => engine.network(pooled(2).definition, source, [7, 1, 1]),
      {
        name: "LayerError",
        option: "size",
        message: "Cannot use maxPool: got size 2 on 7 x 1 pixels, need at most 1; lower size",
      },
    );
    using network = engine.network(definition, source, [7, 6, 2]);
    network.dispose();
    const images = drawImages(strided(2), 1, 7);
    for (
      const use of [
        () => engine.logits(network, images),
        () => engine.project(network, images),
        () => engine.train(network, images),
        () => engine.estimate(network, { count: 5 }),
        () => network.weights(),
      ]
    ) {
      await assert.rejects(use, {
        name: "DisposedError",
      });
    }
  },
);

// Data

testEngine("images and labels that do not fit are refused before anything runs", async (engine) => {
  const network = strided(3);
  const data = drawImages(network, 4, 7);
  using built = build(engine, network, drawWeights(network, 6));
  const turned: Dataset = { ...data, shape: [6, 7, 2] };
  const labelled: Dataset = { ...data, labels: Int32Array.of(0, 1, 3, 2), classes: 4 };
  for (const wrong of [turned, labelled]) {
    for (
      const use of [
        () => engine.logits(built, wrong),
        () => engine.accuracy(built, wrong),
        () => engine.project(built, wrong),
        () => engine.train(built, wrong),
        () => engine.train(built, data, { validation: wrong }),
        () => engine.train(built, data, { test: wrong }),
      ]
    ) {
      await assert.rejects(use, (error) => {
        assert.ok(error instanceof DataError, `${error}`);
        assert.match(
          error.message,
          wrong === turned ? /6 x 7 x 2.*7 x 6 x 2/ : /label 3 at sample 2/,
        );
        return true;
      });
    }
  }
  for (const length of [0, 11, 13]) {
    await assert.rejects(
      engine.project(built, data, { cotangents: new Float32Array(length) }),
      RangeError,
    );
  }
});

testEngine("a projection that overflows is refused, and its rows are freed", async (engine) => {
  const network = strided(3);
  const weights = drawWeights(network, 7);
  for (const { data } of weights.values()) data.forEach((value, i) => data[i] = value * 1e20);
  using built = build(engine, network, weights);
  await assert.rejects(engine.project(built, drawImages(network, 3, 251)), NonFiniteError);
});

testEngine("a projection that is not finite is named by its sample and layer", async (engine) => {
  const network = strided(3);
  using built = build(engine, network, drawWeights(network, 7));
  const data = drawImages(network, 70, 251);
  for (
    const [sample, value, expected] of [
      [69, NaN, { layer: "conv1", message: /got NaN in layer conv1 of sample 69,/ }],
      [0, 1e30, { layer: undefined, message: /sample 0 whose square is beyond float32/ }],
    ] as const
  ) {
    const cotangents = new Float32Array(70 * 3).fill(1);
    cotangents[sample * 3 + 1] = value;
    const error = { name: "NonFiniteError", sample, ...expected };
    await assert.rejects(engine.project(built, data, { cotangents }), error);
  }
});

testEngine("a second engine is refused while one is open", async () => {
  await assert.rejects(openEngine(), /second engine/);
});
