/**
 * Weights that go to PyTorch and come back: names, layouts and logits.
 *
 * Without PyTorch on the machine this test is left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { createDataset, type Dataset, normalise } from "../../engine/data/dataset.ts";
import { readNpy, writeNpy } from "../../engine/formats/npy.ts";
import { encodeSafetensors, loadWeights } from "../../engine/formats/safetensors.ts";
import {
  averagePool,
  flatten,
  gelu,
  type NetworkDefinition,
  tanh,
} from "../../engine/network/definition.ts";
import {
  createResnet,
  lenet5,
  lenetLarge,
  resnet18Bn,
  resnet18Narrow,
  resnet8,
} from "../../engine/network/models.ts";
import { kernelOf, testEngine } from "../engine/open_engine.ts";
import { assertClose } from "../../engine/reference/numbers.ts";
import { permute } from "../../engine/reference/tensor.ts";
import { openTempFolder } from "../temp_folder.ts";
import { findPython, runPython } from "./python.ts";

const SCRIPT = fileURLToPath(new URL("pytorch.py", import.meta.url));

/** Largest error of a logit, as in `golden.test.ts`. */
const LOGITS = 1e-4;

/** Largest error of a kernel's entry, relative to the largest entry. */
const KERNEL = 1e-5;

const python = await findPython();
if (!python) console.log("Python has no PyTorch here: no weights go to it and come back");

/** Network of the layers that the other networks do not have. */
const normed: NetworkDefinition = {
  name: "normed",
  forward(layers, images) {
    const x = layers.convolution("conv", images, { filters: 5, size: 3, stride: 2 });
    const pooled = averagePool(tanh(layers.batchNorm("norm", x)), 2);
    return layers.dense("fc", flatten(gelu(pooled)), layers.classes, { bias: false });
  },
};

/** {@linkcode resnet18Bn} with few channels: loaded weights determine the widths. */
const narrow = createResnet({
  name: "resnet18_bn",
  widths: [3, 5, 6, 7],
  blocks: 2,
  pooling: "4 x 4",
  batchNorm: true,
});

const NETWORKS: readonly Case[] = [
  { definition: lenet5, shape: [28, 28, 1] },
  { definition: lenetLarge, shape: [28, 28, 1] },
  { definition: resnet8, shape: [32, 32, 3] },
  { definition: resnet18Narrow, shape: [32, 32, 3] },
  { definition: narrow, shape: [32, 32, 3], loads: resnet18Bn },
  { definition: normed, shape: [32, 32, 3] },
];

/** A network, and the definition that loads what PyTorch returns, where that is another; then the kernel is compared, too. */
interface Case {
  readonly definition: NetworkDefinition;
  readonly shape: readonly [number, number, number];
  readonly loads?: NetworkDefinition;
}

const COUNT = 3;

function drawImages(shape: readonly [number, number, number]): Dataset {
  const length = COUNT * shape[0] * shape[1] * shape[2];
  return createDataset({
    name: "drawn",
    split: "train",
    images: Uint8Array.from({ length }, (_, i) => (i * i + 7 * i) % 251),
    labels: Uint8Array.from({ length: COUNT }, (_, i) => 3 * i),
    shape,
    classes: 10,
    mean: [0.5],
    std: [0.25],
  });
}

if (!python) Deno.test.ignore("weights go to PyTorch and come back", () => {});
else {
  testEngine(
    "weights go to PyTorch, load with strict=True, give its logits, and come back",
    async (engine) => {
      await using temp = await openTempFolder();
      const networks = NETWORKS.map(({ definition, shape, loads }) => ({
        name: definition.name,
        loads,
        network: engine.network(definition, { seed: 1, classes: 10 }, shape),
        data: drawImages(shape),
      }));
      try {
        for (const { name, network, data } of networks) {
          const weights = await network.weights();
          // running statistics as training leaves them
          for (const [tensor, { shape, data }] of weights) {
            const isScale = shape.length === 1 && tensor.endsWith(".weight");
            if (isScale) data.forEach((_, i) => data[i] = 1 + (i * 3 % 5 - 2) / 10);
            if (tensor.endsWith("running_mean")) data.forEach((_, i) => data[i] = i / 10 - 0.2);
            if (tensor.endsWith("running_var")) data.forEach((_, i) => data[i] = 0.1 + i);
          }
          // saved with the metadata of training about its samples
          const bytes = encodeSafetensors(weights, { format: "pt", samples: `{"split":"train"}` });
          await Deno.writeFile(`${temp.path}/${name}.safetensors`, bytes);
          const images = { shape: [COUNT, ...data.shape], data: normalise(data, [0, 1, 2]) };
          const { shape, data: pixels } = permute(images, [0, 3, 1, 2]);
          await writeNpy(`${temp.path}/${name}_images.npy`, Float32Array.from(pixels), [...shape]);
        }
        await writeNpy(`${temp.path}/resnet18_bn_labels.npy`, networks[0].data.labels, [COUNT]);
        const { success, complaint } = await runPython(python, SCRIPT, temp.path);
        assert.ok(success, complaint);
        for (const { name, network, loads, data } of networks) {
          const sent = await loadWeights(`${temp.path}/${name}.safetensors`);
          const returned = await loadWeights(`${temp.path}/${name}_torch.safetensors`);
          using again = engine.network(loads ?? network.definition, returned, data.shape);
          assert.deepEqual(again.loading, { prefix: "", leftOut: [] });
          const kept = await again.weights();
          assert.deepEqual(new Map([...kept].sort()), new Map([...sent].sort()), name);
          const expected = await readNpy(`${temp.path}/${name}_logits.npy`);
          const logits = await engine.logits(again, data);
          assertClose(logits, Array.from(expected.data, Number), () => LOGITS, name);
          if (!loads) continue;
          const { data: kernel } = await readNpy(`${temp.path}/${name}_kernel.npy`);
          const exact = Array.from(kernel, Number);
          const largest = Math.max(...exact.map(Math.abs));
          assertClose(await kernelOf(engine, again, data), exact, () => KERNEL * largest, name);
        }
      } finally {
        for (const { network } of networks) network.dispose();
      }
    },
  );
}
