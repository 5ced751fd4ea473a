/** Networks of patches: their responses in float64, written anew, and what is left of patches' brightness. @module */
import assert from "node:assert/strict";
import { createPatchNetwork } from "../../../../engine/cleaning/labels/patches.ts";
import {
  createDataset,
  type Dataset,
  normalise,
  takeSamples,
} from "../../../../engine/data/dataset.ts";
import { createGenerator, drawUniform, STREAMS } from "../../../../engine/data/random.ts";
import { testEngine } from "../../open_engine.ts";

/** Smooth pictures of any shape. */
function drawPictures(count: number, shape: readonly [number, number, number]): Dataset {
  const [height, width, channels] = shape;
  const phases = drawUniform(createGenerator(7, STREAMS.trials), 3 * count * channels, 1);
  const images = new Uint8Array(count * height * width * channels).map((_, at) => {
    const channel = at % channels;
    const column = Math.floor(at / channels) % width;
    const row = Math.floor(at / channels / width) % height;
    const n = Math.floor(at / channels / width / height);
    const [a, b, c] = phases.subarray(3 * (n * channels + channel));
    return 128 + 120 * Math.sin(a * row + b * column + 6 * c);
  });
  const labels = Array.from({ length: count }, (_, n) => n % 2);
  return createDataset({ name: "smooth", split: "train", images, labels, shape, classes: 2 });
}

for (const shape of [[13, 15, 1], [17, 12, 3], [5, 4, 2]] as const) {
  testEngine(
    `responses of ${shape.join(" x ")} are those of the filters in float64`,
    async (engine) => {
      const data = drawPictures(40, shape);
      const { definition, weights } = createPatchNetwork(data, 3);
      using network = engine.network(definition, weights, shape);
      const few = takeSamples(data, [0, 39]);
      const features = await engine.features(network, few);
      const [height, width, channels] = shape;
      const { shape: [filters, , side], data: weight } = weights.get("patches.weight")!;
      const bias = weights.get("patches.bias")!.data;
      const [down, across] = [height, width].map((size) => Math.floor((size - side) / 2) + 1);
      const pool = Math.max(1, Math.floor(Math.min(down, across) / 4));
      const [rows, columns] = [down, across].map((size) => Math.floor(size / pool));
      assert.equal(features.length, 2 * filters * rows * columns);
      const pixels = normalise(few, [0, 1]);
      for (let n = 0; n < 2; n++) {
        for (let filter = 0; filter < filters; filter += 61) {
          for (let at = 0; at < rows * columns; at++) {
            let mean = 0;
            let bound = 0;
            for (let p = 0; p < pool * pool; p++) {
              const top = 2 * (Math.floor(at / columns) * pool + Math.floor(p / pool));
              const left = 2 * ((at % columns) * pool + p % pool);
              let response = bias[filter];
              let magnitude = Math.abs(bias[filter]);
              for (let i = 0; i < side * side * channels; i++) {
                const [channel, row, column] = [
                  Math.floor(i / side / side),
                  top + Math.floor(i / side) % side,
                  left + i % side,
                ];
                const product = weight[filter * side * side * channels + i] *
                  pixels[((n * height + row) * width + column) * channels + channel];
                response += product;
                magnitude += Math.abs(product);
              }
              mean += Math.max(0, response) / pool ** 2;
              bound += magnitude / pool ** 2;
            }
            const actual = features[(n * filters + filter) * rows * columns + at];
            const allowed = (side * side * channels + pool * pool + 2) * 2 ** -24 * bound;
            assert.ok(
              Math.abs(actual - mean) <= allowed,
              `filter ${filter}, ${at}: ${actual}, ${mean}`,
            );
          }
        }
      }
    },
  );
}

Deno.test("filters have zero sum, either sign, and responses of variance 1", () => {
  const data = drawPictures(40, [16, 16, 3]);
  const { weights } = createPatchNetwork(data, 0);
  const { shape: [filters, channels, side], data: weight } = weights.get("patches.weight")!;
  const inputs = channels * side * side;
  const pixels = normalise(data, [...data.labels.keys()]);
  for (let filter = 0; filter < filters / 2; filter += 17) {
    const own = weight.subarray(filter * inputs, (filter + 1) * inputs);
    const other = weight.subarray(
      (filter + filters / 2) * inputs,
      (filter + filters / 2 + 1) * inputs,
    );
    assert.deepEqual([...other], [...own].map((value) => -value));
    const size = Math.max(...own.map(Math.abs));
    assert.ok(Math.abs(own.reduce((a, b) => a + b, 0)) < inputs * 2 ** -23 * size);
    const responses: number[] = [];
    for (let n = 0; n < 40; n++) {
      for (let at = 0; at < 11 * 11; at++) {
        let response = 0;
        for (let i = 0; i < inputs; i++) {
          const channel = Math.floor(i / side / side);
          const row = Math.floor(at / 11) + Math.floor(i / side) % side;
          const column = at % 11 + i % side;
          response += own[i] * pixels[((n * 16 + row) * 16 + column) * 3 + channel];
        }
        responses.push(response);
      }
    }
    const mean = responses.reduce((a, b) => a + b) / responses.length;
    const variance = responses.reduce((sum, r) => sum + (r - mean) ** 2, 0) / responses.length;
    // 5,000 patches are drawn of these 4,840, whose variance they estimate within some percent
    assert.ok(Math.abs(variance - 1) < 0.2, `filter ${filter}: ${variance}`);
  }
});

Deno.test("pictures of one colour give filters of zeros, and the same seed the same filters", () => {
  const flat = { ...drawPictures(4, [12, 12, 1]), images: new Uint8Array(4 * 144).fill(9) };
  const { data } = createPatchNetwork(flat, 0).weights.get("patches.weight")!;
  assert.ok(data.every((value) => value === 0));
  const pictures = drawPictures(4, [12, 12, 1]);
  assert.deepEqual(
    createPatchNetwork(pictures, 5).weights,
    createPatchNetwork(pictures, 5).weights,
  );
  assert.notDeepEqual(
    createPatchNetwork(pictures, 6).weights,
    createPatchNetwork(pictures, 5).weights,
  );
});
