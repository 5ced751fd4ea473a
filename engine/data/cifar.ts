/**
 * CIFAR-10 and CIFAR-100 in their binary form: records of one or two labels and 3,072 pixels, channel by channel.
 *
 * @see Krizhevsky: Learning multiple layers of features from tiny images
 * @module
 */

import { basename } from "node:path";
import { FileError } from "../errors.ts";
import { checkSplit, createDataset, type Dataset, type Split } from "./dataset.ts";
import { exists, InputFile, measureFile, writeWhole } from "../files/file.ts";
import { gunzip } from "../formats/gzip.ts";
import { decodeTar } from "../formats/tar.ts";

/** How one of the two is laid out. */
export interface CifarForm {
  readonly name: "cifar10" | "cifar100";
  readonly title: string;
  /** As distributed. */
  readonly archive: string;
  readonly files: Readonly<Record<Split, readonly string[]>>;
  /** Bytes before the pixels, the last of which is the label that counts. */
  readonly labelBytes: number;
  readonly classes: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** 50,000 and 10,000 colour images of 32 x 32, 10 classes. */
export const CIFAR10: CifarForm = {
  name: "cifar10",
  title: "CIFAR-10",
  archive: "cifar-10-binary.tar.gz",
  files: {
    train: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`),
    test: ["test_batch.bin"],
  },
  labelBytes: 1,
  classes: 10,
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.2023, 0.1994, 0.201],
};

/** 50,000 and 10,000 colour images of 32 x 32, 100 classes (the fine labels). */
export const CIFAR100: CifarForm = {
  name: "cifar100",
  title: "CIFAR-100",
  archive: "cifar-100-binary.tar.gz",
  files: { train: ["train.bin"], test: ["test.bin"] },
  labelBytes: 2,
  classes: 100,
  mean: [0.5071, 0.4865, 0.4409],
  std: [0.2673, 0.2564, 0.2762],
};

const SIDE = 32;
const CHANNELS = 3;
const PIXEL_BYTES = SIDE * SIDE * CHANNELS;

/** Samples of an archive as distributed, both splits together, and room for its headers and texts. */
const MOST_SAMPLES = 60_000;
const TAR_BYTES = 2 ** 20;

/** Bytes of a batch, and its name for errors. */
interface Batch {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads one split, from the binary batches or from the archive as it is distributed, which takes some seconds to unpack. Of a training
 * split in several batches the first ones are enough.
 *
 * @param place a folder that holds either, or the archive
 * @throws {FileError} when files are missing or broken
 */
export async function readCifar(
  form: CifarForm,
  place: string,
  split: Split,
): Promise<Dataset> {
  checkSplit(`read ${form.title}`, split);
  const batches = await readBatches(form, place, split);
  const recordBytes = measureRecord(form);
  const counts = batches.map(({ path, bytes }) => countRecords(form, path, bytes.length));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const images = new Uint8Array(total * PIXEL_BYTES);
  const labels = new Uint8Array(total);
  let sample = 0;
  batches.forEach(({ bytes }, batch) => {
    for (let record = 0; record < counts[batch]; record++, sample++) {
      const pixels = record * recordBytes + form.labelBytes;
      labels[sample] = bytes[pixels - 1];
      moveChannelsLast(bytes, pixels, images, sample * PIXEL_BYTES);
    }
  });
  const { name, classes, mean, std } = form;
  return createDataset({
    name,
    split,
    images,
    labels,
    shape: [SIDE, SIDE, CHANNELS],
    classes,
    mean,
    std,
  });
}

function measureRecord({ labelBytes }: CifarForm): number {
  return labelBytes + PIXEL_BYTES;
}

/** @throws {FileError} when there is no record, or not whole ones alone */
function countRecords(form: CifarForm, path: string, sizeBytes: number): number {
  const count = sizeBytes / measureRecord(form);
  if (count >= 1 && Number.isInteger(count)) return count;
  throw new FileError(
    path,
    `Cannot read ${path}: got ${sizeBytes} bytes, need a multiple of ${
      measureRecord(form)
    }, the size of a record of ${form.title}`,
  );
}

/** Whether a place, as {@link readCifar} takes it, holds something of this split. */
export async function holdsCifar(form: CifarForm, place: string, split: Split): Promise<boolean> {
  return await exists(`${place}/${form.files[split][0]}`) ||
    await findArchive(form, place) !== undefined;
}

/** Unpacks a folder's archive beside it, so that reading takes no seconds; what is there already is kept. */
export async function unpackCifar(form: CifarForm, folder: string): Promise<void> {
  const archive = `${folder}/${form.archive}`;
  const names = Object.values(form.files).flat();
  const missing = await Array.fromAsync(
    names,
    async (name) => await exists(`${folder}/${name}`) ? [] : [name],
  );
  if (missing.flat().length === 0) return;
  for (const { path, bytes } of await readArchive(form, archive, names)) {
    const target = `${folder}/${basename(path)}`;
    if (await measureFile(target) !== bytes.length) await writeWhole(target, bytes);
  }
}

async function readBatches(form: CifarForm, place: string, split: Split): Promise<Batch[]> {
  const names = form.files[split];
  const found = await Array.fromAsync(names, (name) => exists(`${place}/${name}`));
  const count = found.indexOf(false) < 0 ? names.length : found.indexOf(false);
  const gap = found.indexOf(true, count);
  if (gap >= 0) throw explainMissing(form, place, `${names[gap]} without ${names[count]}`);
  if (count > 0) {
    return await Promise.all(
      names.slice(0, count).map(async (name) => {
        const path = `${place}/${name}`;
        using file = await InputFile.open(path, `a batch of ${form.title}`);
        countRecords(form, path, file.sizeBytes);
        return { path, bytes: await file.read(0, file.sizeBytes) };
      }),
    );
  }
  const archive = await findArchive(form, place);
  if (archive === undefined) {
    throw explainMissing(form, place, `neither ${names[0]} nor ${form.archive}`);
  }
  return await readArchive(form, archive, names);
}

async function findArchive(form: CifarForm, place: string): Promise<string | undefined> {
  const path = basename(place) === form.archive ? place : `${place}/${form.archive}`;
  return await exists(path) ? path : undefined;
}

/** Files of an archive by their own names, whatever folder they are in. */
async function readArchive(
  form: CifarForm,
  path: string,
  names: readonly string[],
): Promise<Batch[]> {
  const fail = (state: string) =>
    new FileError(
      path,
      `Cannot read ${path}: got ${state}, need the archive as distributed; fetch it again`,
    );
  using file = await InputFile.open(path, "a .tar.gz archive");
  const files = decodeTar(await gunzip(file, MOST_SAMPLES * measureRecord(form) + TAR_BYTES), fail);
  return names.map((name) => {
    const entry = files.find((entry) => basename(entry.name) === name);
    if (!entry) throw fail(`no ${name} in it`);
    return { path: `${path}/${name}`, bytes: entry.bytes };
  });
}

function explainMissing(form: CifarForm, place: string, state: string): FileError {
  return new FileError(
    place,
    `Cannot read ${form.title}: got ${state} in ${place}, need its binary batches or its archive; ` +
      `run \`lpntk data fetch ${form.name}\` or point LPNTK_DATA at the folder that holds them`,
  );
}

/** One image `[3, 32, 32]` to `[32, 32, 3]`. */
function moveChannelsLast(from: Uint8Array, start: number, to: Uint8Array, end: number): void {
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      to[end + pixel * CHANNELS + channel] = from[start + channel * SIDE * SIDE + pixel];
    }
  }
}
