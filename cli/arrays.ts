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

/** A stored kernel, and where its samples stand in their whole split if it is of a part. */
export interface LoadedKernel {
  readonly kernel: StoredKernel;
  readonly indices: Int32Array | undefined;
}

/** A stored kernel: a folder written by `gram`, or a square float32 or float64 `.npy`. */
export async function loadKernel(path: string): Promise<LoadedKernel> {
  if (namesStore(path)) {
    const kernel = await KernelStore.open(path);
    return { kernel, indices: kernel.indices };
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
  return {
    kernel: new KernelMatrix(data, shape[0]),
    indices: await loadKernelIndices(path, shape[0]),
  };
}

/** The files beside a kernel in one file, `K.npy`, with the indices of its rows and of other columns, where they are a part of a split. */
export function nameIndexFiles(path: string): { readonly rows: string; readonly columns: string } {
  const stem = path.replace(/\.npy$/, "");
  return { rows: `${stem}.samples.npy`, columns: `${stem}.test_samples.npy` };
}

/** @throws {DataError} if the file beside a kernel does not hold one index for each of its samples. */
async function loadKernelIndices(path: string, size: number): Promise<Int32Array | undefined> {
  const { rows } = nameIndexFiles(path);
  if (!await Deno.stat(rows).then(({ isFile }) => isFile, () => false)) return undefined;
  const { data, shape } = await readNpy(rows);
  const isRight = data instanceof Int32Array && data.length === size &&
    data.every((index, i) => index > (i === 0 ? -1 : data[i - 1]));
  if (isRight) return data;
  throw new DataError(
    `Cannot use ${rows} as the samples of ${path}: got ${nameType(data)} [${
      shape.join(", ")
    }], need int32 [${size}], indices in increasing order; remove it if ${path} is of a whole set`,
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
  indices: Int32Array | undefined,
): Promise<Int32Array> {
  const labels = await readLabels(path);
  if (labels.length === count) return labels;
  // indices are in increasing order
  if (indices && labels.length > indices[count - 1]) return indices.map((index) => labels[index]);
  throw new FileError(
    path,
    `Cannot use ${path} as labels: got ${labels.length} labels, need ${count}, one for each sample of the kernel${
      indices ? `, or those of the whole set, more than ${indices[count - 1]}` : ""
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
  // compared before any conversion, which would round 64-bit integers
  const indices = isMask ? listTrue(array, data.length === count ? undefined : part) : [...data];
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

function listTrue({ data }: NpyArray, part: Int32Array | undefined): number[] {
  return [...data.keys()].filter((i) => data[i]).map((i) => part ? part[i] : i);
}

/** What to do about bytes that are flags, such as those of `redundant.npy`. */
function hintAtFlags({ data, dtype }: NpyArray, count: number): string {
  const isFlags = dtype === "|u1" && data.length === count && data.every((flag) => flag <= 1);
  return isFlags ? "; if these are flags, save flags.astype(bool) instead" : "";
}

function nameType(data: NpyArray["data"]): string {
  return data.constructor.name.replace(/Array$/, "").toLowerCase();
}
