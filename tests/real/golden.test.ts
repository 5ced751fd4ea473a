/**
 * All steps from images to results, against an independent PyTorch program in float64.
 *
 * LPNTK_GOLDEN names the folder of that program's results; without it these tests are left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createDataset, type Dataset, takeFirst } from "../../engine/data/dataset.ts";
import { readNpy } from "../../engine/formats/npy.ts";
import { loadWeights } from "../../engine/formats/safetensors.ts";
import type { Engine } from "../../engine/engine.ts";
import { lenet5, mlp, resnet18 } from "../../engine/network/models.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples, type RelationCounts } from "../../engine/samples/relations.ts";
import { KernelMatrix, type KernelSource } from "../../engine/samples/source.ts";
import type { Network } from "../../engine/network/network.ts";
import { entkOf, kernelOf, testEngine } from "../engine/open_engine.ts";
import { assertClose } from "../../engine/reference/numbers.ts";
import { permute } from "../../engine/reference/tensor.ts";

const folder = Deno.env.get("LPNTK_GOLDEN");
if (!folder) console.log("LPNTK_GOLDEN is not set: nothing is compared with PyTorch's answers");

/** Largest error of a logit; below, that of a kernel's entry relative to the largest entry. */
const LOGITS = 1e-4;
const KERNEL = 1e-5;

interface Meta {
  readonly fpc_ratio: number;
  readonly relation_t: number;
  readonly relation_eps: number;
  readonly relation_counts: RelationCounts;
  readonly entk_n: number;
}

/** Results in one folder. */
class Golden {
  constructor(readonly name: string) {}

  async readArray(file: string): Promise<{ shape: number[]; data: number[] }> {
    const { shape, data } = await readNpy(`${folder}/${this.name}/${file}.npy`);
    return { shape, data: Array.from(data, Number) };
  }

  async readMeta(): Promise<Meta> {
    return JSON.parse(await Deno.readTextFile(`${folder}/${this.name}/meta.json`));
  }

  readWeights() {
    return loadWeights(`${folder}/${this.name}/weights.safetensors`);
  }

  /** Reads images and labels of the training set, or with the prefix `test_` of the test set. */
  async readImages(prefix: string): Promise<Dataset> {
    const { shape, data } = await this.readArray(`${prefix}images`);
    const [count, channels] = shape.length === 4 ? shape : [shape[0], 1];
    const [height, width] = shape.slice(-2);
    const pixels = permute({ shape: [count, channels, height, width], data }, [0, 2, 3, 1]);
    const { data: labels } = await this.readArray(`${prefix}labels`);
    const { classes, mean, std } = JSON.parse(
      await Deno.readTextFile(`${folder}/${this.name}/dataset.json`),
    );
    return createDataset({
      name: this.name,
      split: "train",
      images: Uint8Array.from(pixels.data),
      labels,
      shape: [height, width, channels],
      classes,
      mean,
      std,
    });
  }

  /** Compares a kernel with the stored one. */
  async assertKernel(file: string, kernel: ArrayLike<number>): Promise<void> {
    const { data } = await this.readArray(file);
    const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    assertClose(kernel, data, () => KERNEL * largest, `${this.name}: ${file}`);
  }

  async assertLogits(file: string, logits: Float32Array): Promise<void> {
    const { data } = await this.readArray(file);
    assertClose(logits, data, () => LOGITS, `${this.name}: ${file}`);
  }

  async assertIntegers(file: string, integers: Iterable<number>): Promise<void> {
    assert.deepEqual([...integers], (await this.readArray(file)).data, `${this.name}: ${file}`);
  }

  /** Compares clusters, and every pair's relation, with the stored ones. */
  async assertAnalysis(source: KernelSource): Promise<void> {
    const meta = await this.readMeta();
    const { data: labels } = await this.readArray("labels");
    const whole = await clusterSamples(source, { ratio: meta.fpc_ratio });
    await this.assertIntegers("fpc_centroids", whole.centroids);
    await this.assertIntegers("fpc_assign", whole.assignment);
    const perClass = await clusterSamples(source, { ratio: meta.fpc_ratio, perClass: labels });
    await this.assertIntegers("fpc_class_centroids", perClass.centroids);
    await this.assertIntegers("fpc_class_assign", perClass.assignment);

    const codes = labels.map(() => labels.map(() => 0));
    for (const sample of labels.keys()) {
      const { counts, partners } = await relateSamples(source, {
        threshold: meta.relation_t,
        epsilon: meta.relation_eps,
        sample,
      });
      assert.deepEqual(counts, meta.relation_counts);
      codes[sample][sample] = 1;
      for (const { sample: other, relation } of partners) {
        if (relation === "interchangeable") codes[sample][other] = 1;
        if (relation === "contradictory") codes[sample][other] = -1;
      }
    }
    await this.assertIntegers("relations", codes.flat());
  }
}

/** Registers a test that needs the stored results. */
function testGolden(name: string, run: (engine: Engine) => Promise<void>): void {
  if (folder) testEngine(name, run);
  else Deno.test.ignore(name, () => {});
}

for (const [name, definition] of [["mlp_mnist64", mlp], ["lenet5_mnist64", lenet5]] as const) {
  testGolden(`${name}: logits, kernels and answers agree with PyTorch`, async (engine) => {
    const golden = new Golden(name);
    const [data, others] = [await golden.readImages(""), await golden.readImages("test_")];
    using network = engine.network(definition, await golden.readWeights());
    await golden.assertLogits("logits", await engine.logits(network, data));
    await golden.assertLogits("test_logits", await engine.logits(network, others));

    for (const kind of ["lpntk", "pntk"] as const) {
      await golden.assertKernel(kind, await kernelOf(engine, network, data, { kind }));
      await golden.assertKernel(
        `${kind}_cross`,
        await kernelOf(engine, network, data, { kind, others }),
      );
      using rows = await engine.project(network, data, { kind });
      await golden.assertIntegers(`redundant_${kind}`, await findRedundant(rows));
      if (kind === "lpntk") await golden.assertAnalysis(rows);
    }
    const { entk_n } = await golden.readMeta();
    await golden.assertKernel("entk", await entkOf(engine, network, takeFirst(data, entk_n)));
  });
}

testGolden("analysis_ties30: answers from a stored kernel full of ties agree exactly", async () => {
  const golden = new Golden("analysis_ties30");
  const { data, shape: [size] } = await golden.readArray("kappa");
  const kernel = new KernelMatrix(Float64Array.from(data), size);
  await golden.assertIntegers("redundant", await findRedundant(kernel));
  await golden.assertAnalysis(kernel);
});

/** Groups of layers of the narrow ResNet-18, whose rows are short enough for every driver; the rows of all layers are not. */
const PARTS = ["conv1 layer1 layer2 layer3", "layer4.0.conv1", "layer4.0.conv2 layer4.0.shortcut"]
  .concat(["layer4.1.conv1", "layer4.1.conv2 linear"]).map((names) => names.split(" "));

/** Sums a result over groups of the network's layers, rounded once. */
async function sumParts(
  network: Network,
  compute: (layers: readonly string[]) => Promise<Float32Array>,
): Promise<Float32Array> {
  const names = network.layers.map(({ name }) => name);
  const parts = PARTS.map((prefixes) =>
    names.filter((name) => prefixes.some((prefix) => `${name}.`.startsWith(`${prefix}.`)))
  );
  assert.deepEqual(parts.flat(), names);
  const kernels: Float32Array[] = [];
  for (const layers of parts) kernels.push(await compute(layers));
  return kernels[0].map((_, i) => kernels.reduce((sum, kernel) => sum + kernel[i], 0));
}

testGolden(
  "resnettiny_cifar24: logits, kernels and answers of a narrow ResNet-18 agree with PyTorch",
  async (engine) => {
    const golden = new Golden("resnettiny_cifar24");
    const [data, others] = [await golden.readImages(""), await golden.readImages("test_")];
    // the widths follow from the weights
    using network = engine.network(resnet18, await golden.readWeights(), data.shape);
    await golden.assertLogits("logits", await engine.logits(network, data));
    await golden.assertLogits("test_logits", await engine.logits(network, others));
    for (const kind of ["lpntk", "pntk"] as const) {
      const compute = (others?: Dataset) =>
        sumParts(network, (layers) => kernelOf(engine, network, data, { kind, others, layers }));
      const kernel = await compute();
      await golden.assertKernel(kind, kernel);
      await golden.assertKernel(`${kind}_cross`, await compute(others));
      const source = new KernelMatrix(kernel, data.labels.length);
      await golden.assertIntegers(`redundant_${kind}`, await findRedundant(source));
      if (kind === "lpntk") await golden.assertAnalysis(source);
    }
    const { entk_n } = await golden.readMeta();
    const few = takeFirst(data, entk_n);
    const entk = await sumParts(
      network,
      (layers) => entkOf(engine, network, few, undefined, layers),
    );
    await golden.assertKernel("entk", entk);
  },
);
