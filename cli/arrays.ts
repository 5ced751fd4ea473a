/**
 * Arrays that a user hands over in files: kernels, labels, and which samples to keep.
 *
 * @module
 */
import {
  DataError,
  FileError,
  KernelMatrix,
  KernelStore,
  type NpyArray,
  readLabels,
  readNpy,
  type StoredKernel,
} from "../mod.ts";

/** Whether a path names a kernel in chunks, a folder, and not one in a file. */
export function namesStore(path: string): boolean {
  return /\.zarr[/\\]*$/.test(path);
}

/** A stored kernel: a folder written by `gram`, or a square float32 or float64 `.npy`. */
export async function loadKernel(path: string): Promise<StoredKernel> {
  if (namesStore(path)) return await KernelStore.open(path);
  const { data, shape } = await readNpy(path);
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  if (!isFloat || shape.length !== 2 || shape[0] !== shape[1]) {
    throw new DataError(
      `Cannot use ${path} as a kernel: got ${nameType(data)} [${
        shape.join(", ")
      }], need float32 or float64 [N, N]`,
    );
  }
  return new KernelMatrix(data, shape[0]);
}

/**
 * Labels `[count]` of a stored kernel's samples.
 *
 * @throws {FileError} if they are not so many integers from 0 on.
 */
export async function loadLabels(path: string, count: number): Promise<Int32Array> {
  const labels = await readLabels(path);
  if (labels.length === count) return labels;
  throw new FileError(
    path,
    `Cannot use ${path} as labels: got ${labels.length} labels, need ${count}, one for each sample of the kernel`,
  );
}

/**
 * The samples to keep: their indices `[K]`, or a boolean mask `[count]` that is true for them.
 *
 * @throws {DataError} if they are not different integers from 0 to `count - 1`, or the mask has another length; or if no sample is left.
 */
export async function loadIndices(path: string, count: number): Promise<Int32Array> {
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
  if (dtype === "|b1" && data.length !== count) {
    throw refuse(`a boolean mask of ${data.length}`, `${count}, one for each sample`);
  }
  // compared before any conversion, which would round 64-bit integers
  const indices = dtype === "|b1" ? listTrue(array) : [...data];
  const seen = new Set<number | bigint>();
  for (const index of indices) {
    if (index < 0 || index >= count || seen.has(index)) {
      throw refuse(
        `index ${index}${seen.has(index) ? " twice" : ""}`,
        `different integers from 0 to ${count - 1}${hintAtFlags(array, count)}`,
      );
    }
    seen.add(index);
  }
  if (indices.length === 0) throw refuse("no index", "at least one");
  return Int32Array.from(indices, Number);
}

function listTrue({ data }: NpyArray): number[] {
  return [...data.keys()].filter((i) => data[i]);
}

/** What to do about bytes that are flags, such as those of `redundant.npy`. */
function hintAtFlags({ data, dtype }: NpyArray, count: number): string {
  const isFlags = dtype === "|u1" && data.length === count && data.every((flag) => flag <= 1);
  return isFlags ? "; if these are flags, save flags.astype(bool) instead" : "";
}

function nameType(data: NpyArray["data"]): string {
  return data.constructor.name.replace(/Array$/, "").toLowerCase();
}
