/**
 * CIFAR-10 and CIFAR-100 in their binary form: records of one or two label bytes and 3,072 pixel bytes, channel by channel.
 *
 * @see Krizhevsky: Learning multiple layers of features from tiny images
 * @module
 */

import { basename } from "node:path";
import { FileError, MissingDatasetError } from "../errors.ts";
import { checkSplit, createDataset, type Dataset, type Split } from "./dataset.ts";
import { exists, InputFile, measureFile, writeWhole } from "../files/file.ts";
import { gunzip } from "../formats/gzip.ts";
import { decodeTar } from "../formats/tar.ts";

/** Names and layout of the files of CIFAR-10 or CIFAR-100. */
export interface CifarForm {
  /** Name that the data set is loaded by. */
  readonly name: "cifar10" | "cifar100";
  /** Name in print. */
  readonly title: string;
  /** Name of the archive as distributed. */
  readonly archive: string;
  /** Files in the archive of each split, in the order of their samples. */
  readonly files: Readonly<Record<Split, readonly string[]>>;
  /** Label bytes before the pixels, of which the last is the label that is used. */
  readonly labelBytes: number;
  /** Number of classes. */
  readonly classes: number;
  /** Mean of each channel over the training images, of pixels scaled to 0..1. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel, likewise. */
  readonly std: readonly number[];
}

/** CIFAR-10: 50,000 training and 10,000 test colour images of 32 x 32, 10 classes. */
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

/** CIFAR-100: 50,000 training and 10,000 test colour images of 32 x 32, 100 classes (the fine labels). */
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

/** Samples of an archive as distributed, both splits together, and bytes for its headers and text files. */
const MOST_SAMPLES = 60_000;
const TAR_BYTES = 2 ** 20;

/** Contents of a batch file, and its path for errors. */
interface Batch {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads one split, from the binary batches or from the archive as distributed, which takes some seconds to unpack. Where only the first
 * training batches exist, they are the split.
 *
 * @param place folder of the batches or of the archive, or the archive itself
 * @throws {MissingDatasetError} when files are missing, `FileError` when one is broken
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

/** @throws {FileError} when the size is not that of one or more whole records */
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

/** Returns whether a place, as {@link readCifar} takes it, holds the first batch of this split or the archive. */
export async function holdsCifar(form: CifarForm, place: string, split: Split): Promise<boolean> {
  return await exists(`${place}/${form.files[split][0]}`) ||
    await findArchive(form, place) !== undefined;
}

/** Unpacks a folder's archive into the folder, so that later reads are fast; complete files that exist are kept. */
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

/** Reads files of an archive by their names, in whatever folder of it they are. */
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

function explainMissing(form: CifarForm, place: string, state: string): MissingDatasetError {
  return new MissingDatasetError(
    place,
    form.name,
    `Cannot read ${form.title}: got ${state} in ${place}, need its binary batches or its archive; ` +
      "point LPNTK_DATA at the folder that holds them, or fetch them",
  );
}

/** Transposes one image from `[3, 32, 32]` to `[32, 32, 3]`. */
function moveChannelsLast(from: Uint8Array, start: number, to: Uint8Array, end: number): void {
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      to[end + pixel * CHANNELS + channel] = from[start + channel * SIDE * SIDE + pixel];
    }
  }
}
