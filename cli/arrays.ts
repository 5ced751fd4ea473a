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
import { parseChoice, type SampleChoice } from "./samples.ts";

/** Whether a path names a kernel in chunks, a folder, and not one in a file. */
export function namesStore(path: string): boolean {
  return /\.zarr[/\\]*$/.test(path);
}

/** A stored kernel, and what it says of its samples. */
export interface LoadedKernel {
  readonly kernel: StoredKernel;
  /** Where they stand in their whole split, if they are a part of it. */
  readonly indices: Int32Array | undefined;
  readonly choice: SampleChoice | undefined;
  /** SHA-256 of its numbers, as they are stored. */
  readonly sha256: string;
}

/** Attribute of a store, and key of the file beside a matrix, that holds the {@linkcode SampleChoice} of its rows. */
export const CHOICE = "choice";

/** A stored kernel: a folder written by `gram`, or a square float32 or float64 `.npy`. */
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
 * The files beside a kernel in one file, `K.npy`: how its samples were chosen, and the indices of its rows and of other columns, where they
 * are a part of a split.
 */
export function nameFilesBeside(path: string) {
  const stem = path.replace(/\.npy$/, "");
  return {
    choice: `${stem}.samples.json`,
    rows: `${stem}.samples.npy`,
    columns: `${stem}.test_samples.npy`,
  };
}

/** @throws {FileError} if the file says it in another way than `gram` does. */
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
 * Which samples of a split a part is made of, if a file tells.
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
 * Labels of a stored kernel's samples: its own `[count]`, or those of the whole split that they are a part of.
 *
 * @throws {FileError} if they are not so many integers from 0 on.
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
  // indices are in increasing order
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
 * The samples to keep, as their indices in the whole split: those `[K]`, or a boolean mask that is true for them.
 *
 * @param count of the whole split, whose samples a mask may be of
 * @param part indices of the samples that were chosen from it, which a mask may be of as well
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
  // what `redundant.npy` holds, which of two samples could be read either way
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
