import assert from "node:assert/strict";
import { cropAndFlip } from "../../../engine/data/augmentation.ts";
import { createDataset, type Dataset } from "../../../engine/data/dataset.ts";
import { createGenerator, STREAMS } from "../../../engine/data/random.ts";

const COUNT = 400;
const [HEIGHT, WIDTH, CHANNELS] = [9, 11, 2];

/** Images without black, whose pixel values encode their position and channel. */
const DATA = createDataset({
  name: "places",
  split: "train",
  images: Uint8Array.from(
    { length: COUNT * HEIGHT * WIDTH * CHANNELS },
    (_, i) => 1 + i % (HEIGHT * WIDTH * CHANNELS),
  ),
  labels: Array.from({ length: COUNT }, (_, i) => i % 7),
  shape: [HEIGHT, WIDTH, CHANNELS],
  classes: 7,
  mean: [0],
  std: [1],
});

const INDICES = Array.from({ length: COUNT }, (_, i) => (i * 3) % COUNT);

/** Computes what a sample must look like after a shift and a mirroring. */
function expectImage(down: number, right: number, isFlipped: boolean): number[] {
  const image: number[] = [];
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const [y, x] = [row - down, (isFlipped ? WIDTH - 1 - column : column) - right];
      const isInside = y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH;
      for (let c = 0; c < CHANNELS; c++) {
        image.push(isInside ? 1 + (y * WIDTH + x) * CHANNELS + c : 0);
      }
    }
  }
  return image;
}

/** Counts how often each movement was drawn, by its name; every image must be one of them. */
function countMovements({ images }: Dataset): Map<string, number> {
  const known = new Map<string, string>();
  for (let down = -4; down <= 4; down++) {
    for (let right = -4; right <= 4; right++) {
      for (const isFlipped of [false, true]) {
        known.set(expectImage(down, right, isFlipped).join(), `${down} ${right} ${isFlipped}`);
      }
    }
  }
  assert.equal(known.size, 162);
  const counts = new Map<string, number>();
  const size = HEIGHT * WIDTH * CHANNELS;
  for (let n = 0; n < COUNT; n++) {
    const name = known.get(images.subarray(n * size, (n + 1) * size).join());
    assert.ok(name, `image ${n} is no movement of the original`);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

Deno.test("samples are moved by up to 4 pixels and mirrored, evenly, and keep their labels", () => {
  const augmented = cropAndFlip(DATA, INDICES, createGenerator(1, STREAMS.augmentation));
  assert.deepEqual([...augmented.labels], INDICES.map((index) => DATA.labels[index]));
  const counts = countMovements(augmented);
  const sum = (part: number, value: string) =>
    [...counts].filter(([name]) => name.split(" ")[part] === value)
      .reduce((total, [, count]) => total + count, 0);
  // within five standard deviations of a binomial count
  const isEven = (count: number, share: number) =>
    Math.abs(count - COUNT * share) < 5 * Math.sqrt(COUNT * share * (1 - share));
  assert.ok(isEven(sum(2, "true"), 1 / 2));
  for (let shift = -4; shift <= 4; shift++) {
    for (const part of [0, 1]) assert.ok(isEven(sum(part, `${shift}`), 1 / 9), `${part} ${shift}`);
  }
});

Deno.test("the same seed moves alike, another does not, and the originals stay", () => {
  const before = DATA.images.slice();
  const draw = (seed: number) =>
    cropAndFlip(DATA, INDICES, createGenerator(seed, STREAMS.augmentation)).images;
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  assert.deepEqual(DATA.images, before);
});
