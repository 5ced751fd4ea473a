/**
 * Arrays that a user hands over in files: kernels, labels, and which samples to keep.
 *
 * @module
 */
import {
  DataError,
  FileError,
  hashArray,
  hashIntegers,
  KernelMatrix,
  KernelStore,
  type NpyArray,
  readLabels,
  readNpy,
  type StoredKernel,
} from "../mod.ts";
import { readJson } from "../engine/formats/json.ts";
import { nameTable } from "./known_samples.ts";
import { parseChoice, type SampleChoice } from "./samples.ts";

/** Whether a path names a kernel in chunks (a `.zarr` folder), not one in a single file. */
export function namesStore(path: string): boolean {
  return /\.zarr[/\\]*$/.test(path);
}

/** A stored kernel, and what is recorded of its samples. */
export interface LoadedKernel {
  readonly kernel: StoredKernel;
  /** Index of each sample in its whole split, `[N]`; undefined if the kernel covers a whole split or does not record it. */
  readonly indices: Int32Array | undefined;
  readonly choice: SampleChoice | undefined;
  /** SHA-256 of the stored entries. */
  readonly sha256: string;
}

/** Attribute of a store, and key in the file beside a matrix, that holds the {@linkcode SampleChoice} of the rows. */
export const CHOICE = "choice";

/** Opens a stored kernel: a folder written by `gram`, or a square float32 or float64 `.npy`. */
export async function loadKernel(path: string): Promise<LoadedKernel> {
  if (namesStore(path)) {
    const kernel = await KernelStore.open(path);
    const choice = parseChoice(kernel.attributes[CHOICE]);
    return { kernel, indices: kernel.indices, choice, sha256: kernel.hash() };
  }
  const { data, shape } = await readNpy(path);
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  if (!isFloat || shape.length !== 2 || shape[0] !== shape[1]) {
    throw new DataError(
      `Cannot use ${path} as a kernel: got ${nameType(data)} [${
        shape.join(", ")
      }], need float32 or float64 [N, N]`,
    );
  }
  const files = nameFilesBeside(path);
  const indices = await loadPart(files.rows);
  if (indices && indices.length !== shape[0]) {
    throw new DataError(
      `Cannot use ${files.rows} as the samples of ${path}: got ${indices.length} indices, need ${
        shape[0]
      }; remove it if ${path} is of a whole set`,
    );
  }
  const choice = await loadChoice(files.choice);
  if (choice && choice.size < choice.of && !indices) {
    throw new DataError(
      `Cannot use ${path} as a kernel: got none of ${files.rows}, need it beside the matrix: it tells which ${choice.size} of ${choice.of} samples these are`,
    );
  }
  return {
    kernel: new KernelMatrix(data, shape[0]),
    indices,
    choice,
    sha256: hashArray({ data, shape }),
  };
}

/**
 * Paths of the files beside a kernel `K.npy`: how its samples were chosen, and the indices of the samples of its rows and of its columns, where these
 * are a part of a split, with the tables that name these samples.
 */
export function nameFilesBeside(path: string) {
  const stem = path.replace(/\.npy$/, "");
  const [rows, columns] = [`${stem}.samples.npy`, `${stem}.test_samples.npy`];
  return {
    choice: `${stem}.samples.json`,
    rows,
    rowNames: nameTable(rows),
    columns,
    columnNames: nameTable(columns),
  };
}

/**
 * Reads how samples were chosen; undefined if there is no file.
 *
 * @throws {FileError} if the file is not as `gram` writes it.
 */
async function loadChoice(path: string): Promise<SampleChoice | undefined> {
  if (!await exists(path)) return undefined;
  const json = await readJson(path, "the choice of samples as lpntk gram writes it");
  const choice = parseChoice(Object(json)[CHOICE]);
  if (choice) return choice;
  throw new FileError(
    path,
    `Cannot use ${path}: got another text, need it as lpntk gram writes it`,
  );
}

/**
 * Reads the indices of a part's samples in their split, `[N]`; undefined if there is no file.
 *
 * @throws {DataError} if it does not hold indices in increasing order.
 */
export async function loadPart(path: string): Promise<Int32Array | undefined> {
  if (!await exists(path)) return undefined;
  const { data, shape } = await readNpy(path);
  const isRight = data instanceof Int32Array && shape.length === 1 &&
    data.every((index, i) => index > (i === 0 ? -1 : data[i - 1]));
  if (isRight) return data;
  throw new DataError(
    `Cannot use ${path} as the samples of a part: got ${nameType(data)} [${
      shape.join(", ")
    }], need int32 [N], indices in increasing order`,
  );
}

/**
 * Reads the labels of a stored kernel's samples, `[count]`, from a file of their labels or of those of the whole split.
 *
 * @throws {FileError} if the file has neither number of labels, labels of another split, or labels that are no integers from 0 on.
 */
export async function loadLabels(
  path: string,
  count: number,
  { indices, choice }: Pick<LoadedKernel, "indices" | "choice"> = {
    indices: undefined,
    choice: undefined,
  },
): Promise<Int32Array> {
  const labels = await readLabels(path);
  const refuse = (got: string, need: string) =>
    new FileError(path, `Cannot use ${path} as labels: got ${got}, need ${need}`);
  const isOfSplit = choice?.labelsSha256 === undefined ||
    choice.labelsSha256 === hashIntegers(labels);
  if (choice && labels.length === choice.of && !isOfSplit) {
    throw refuse(
      "others than the kernel was computed from",
      `those of the ${choice.split} split that its samples are of`,
    );
  }
  if (labels.length === count) return labels;
  // the last index is the largest: they are in increasing order
  const least = choice?.of ?? indices?.at(-1);
  const isWhole = choice ? labels.length === choice.of : labels.length > Number(least);
  if (indices && isWhole) return indices.map((index) => labels[index]);
  throw refuse(
    `${labels.length} labels`,
    `${count}, one for each sample of the kernel${
      indices ? `, or those of the whole split, ${choice ? choice.of : `more than ${least}`}` : ""
    }`,
  );
}

/**
 * Reads which samples to keep, as their indices in the whole split: from such indices `[K]`, or from a boolean mask.
 *
 * @param count samples of the whole split, one length that a mask may have
 * @param part indices of the samples that were drawn from it, whose number is the other length that a mask may have
 * @throws {DataError} if they are not different integers from 0 to `count - 1`, or the mask has another length; or if no sample is left.
 */
export async function loadIndices(
  path: string,
  count: number,
  part?: Int32Array,
): Promise<Int32Array> {
  const array = await readNpy(path);
  const { data, shape, dtype } = array;
  const refuse = (state: string, need: string) =>
    new DataError(`Cannot keep the samples of ${path}: got ${state}, need ${need}`);
  if (shape.length !== 1 || !/[iub]/.test(dtype[1])) {
    throw refuse(
      `${nameType(data)} [${shape.join(", ")}]`,
      `integers [K], or a boolean mask [${count}]`,
    );
  }
  const isMask = dtype === "|b1";
  if (isMask && data.length !== count && data.length !== part?.length) {
    throw refuse(
      `a boolean mask of ${data.length}`,
      `${count}, one for each sample${
        part ? `, or ${part.length}, one for each that is chosen` : ""
      }`,
    );
  }
  const isFlags = data.length === count && data.every((flag: number | bigint) => flag <= 1);
  const hint = isFlags ? "; if these are flags, save flags.astype(bool) instead" : "";
  // `redundant.npy` holds such flags; those of two samples could be read as indices, too
  if (dtype === "|u1" && isFlags) throw refuse("zeros and ones of uint8", `integers [K]${hint}`);
  // compared before any conversion, which would round 64-bit integers
  const indices = isMask ? listTrue(array, data.length === count ? undefined : part) : [...data];
  const seen = new Set<number | bigint>();
  for (const index of indices) {
    if (index < 0 || index >= count || seen.has(index)) {
      throw refuse(
        `index ${index}${seen.has(index) ? " twice" : ""}`,
        `different integers from 0 to ${count - 1}${hint}`,
      );
    }
    seen.add(index);
  }
  if (indices.length === 0) throw refuse("no index", "at least one");
  return Int32Array.from(indices, Number);
}

function listTrue({ data }: NpyArray, part: Int32Array | undefined): number[] {
  return [...data.keys()].filter((i) => data[i]).map((i) => part ? part[i] : i);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function nameType(data: NpyArray["data"]): string {
  return data.constructor.name.replace(/Array$/, "").toLowerCase();
}
