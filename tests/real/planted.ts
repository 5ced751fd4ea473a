/** Folders of pictures with known faults, of real data: a class a folder, some in the wrong one, some pictures there twice. @module */
import { encode as encodePng } from "npm:fast-png@8.0.0";
import { encode as encodeJpeg } from "npm:jpeg-js@0.4.4";
import { uniformInt } from "npm:pure-rand@8.4.2/distribution/uniformInt";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { createGenerator, drawPermutation, STREAMS } from "../../engine/data/random.ts";
import { decodePicture } from "../../engine/formats/picture.ts";
import { type Dataset, loadDataset } from "../../mod.ts";

/** What to plant. */
export interface Planting {
  readonly name: "mnist" | "cifar10";
  /** Labels of the classes that are taken, and their names, which are those of the folders. */
  readonly classes: ReadonlyMap<number, string>;
  readonly perClass: number;
  /** Samples of each class that are left out first, so that two plantings may share none. */
  readonly skip: number;
  /** Number of pictures that stand in another class's folder. */
  readonly wrong: number;
  /** Number of pictures that are there twice, in equal pixels and nearly so. */
  readonly exact: number;
  readonly near: number;
  readonly seed: number;
}

/** Truth about a planted folder. Files are relative to it. */
export interface Truth {
  /** True class of each picture in a wrong folder. */
  readonly wrong: ReadonlyMap<string, string>;
  readonly exact: readonly (readonly [string, string])[];
  readonly near: readonly (readonly [string, string])[];
}

/** A picture of the folder. */
interface Entry {
  readonly pixels: Uint8Array;
  readonly truth: string;
  readonly given: string;
}

/** Writes a folder of pictures as PNG files, in an order that says nothing of their classes. */
export async function plant(path: string, planting: Planting): Promise<Truth> {
  const { classes, wrong, exact, near, seed } = planting;
  const data = await loadDataset(planting.name, "train");
  const generator = createGenerator(seed, STREAMS.trials);
  const names = [...classes.values()];
  const drawn = [...classes].flatMap(([label, truth]) =>
    takeClass(data, label, planting).map((pixels) => ({ pixels, truth }))
  );
  const order = [...drawPermutation(generator, drawn.length)];
  const entries = drawn.map(({ pixels, truth }, n): Entry => {
    const others = names.filter((name) => name !== truth);
    const isWrong = order.indexOf(n) < wrong;
    const given = isWrong ? others[uniformInt(generator, 0, others.length - 1)] : truth;
    return { pixels, truth, given };
  });
  const twice = order.slice(wrong, wrong + exact + near);
  for (const [n, at] of twice.entries()) {
    const entry = entries[at];
    const pixels = n < exact ? entry.pixels : await vary(entry.pixels, data.shape, generator);
    entries.push({ ...entry, pixels });
  }
  for (const name of names) await Deno.mkdir(`${path}/${name}`, { recursive: true });
  const [height, width, channels] = data.shape;
  const places = drawPermutation(generator, entries.length);
  const files = entries.map(({ given }, n) => `${given}/${String(places[n]).padStart(5, "0")}.png`);
  for (const [n, { pixels }] of entries.entries()) {
    await Deno.writeFile(
      `${path}/${files[n]}`,
      encodePng({ width, height, channels, data: pixels }),
    );
  }
  const copies = twice.map((at, n) => [files[at], files[drawn.length + n]] as const);
  return {
    wrong: new Map(
      entries.flatMap(({ truth, given }, n) => truth === given ? [] : [[files[n], truth]]),
    ),
    exact: copies.slice(0, exact),
    near: copies.slice(exact),
  };
}

/** Takes the pixels of the first pictures of a class. */
function takeClass(data: Dataset, label: number, { perClass, skip }: Planting): Uint8Array[] {
  const size = data.shape.reduce((a, b) => a * b);
  return [...data.labels.keys()].filter((n) => data.labels[n] === label)
    .slice(skip, skip + perClass)
    .map((n) => Uint8Array.from(data.images.subarray(n * size, (n + 1) * size)));
}

/** Changes a picture as copies are changed: shifted by a pixel both ways, made brighter or darker, or saved as a JPEG of quality 60. */
async function vary(
  pixels: Uint8Array,
  shape: Dataset["shape"],
  generator: RandomGenerator,
): Promise<Uint8Array> {
  const [height, width, channels] = shape;
  const how = uniformInt(generator, 0, 2);
  const draw = () => 2 * uniformInt(generator, 0, 1) - 1;
  if (how === 0) {
    const [down, right] = [draw(), draw()];
    return pixels.map((_, at) => {
      const [row, column] = [Math.floor(at / channels / width), Math.floor(at / channels) % width];
      const from = ((row - down + height) % height) * width + (column - right + width) % width;
      return pixels[from * channels + at % channels];
    });
  }
  if (how === 1) {
    const change = 18 * draw();
    return pixels.map((value) => Math.min(255, Math.max(0, value + change)));
  }
  const data = Uint8Array.from({ length: height * width * 4 }, (_, at) => {
    const channel = at % 4;
    if (channel === 3) return 255;
    return pixels[Math.floor(at / 4) * channels + (channels === 3 ? channel : 0)];
  });
  const saved = await decodePicture(encodeJpeg({ data, width, height }, 60).data);
  return channels === 3 ? saved.pixels : saved.pixels.filter((_, at) => at % 3 === 0);
}
