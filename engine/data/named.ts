/** Finding data sets by name or path. @module */

import { distance } from "npm:fastest-levenshtein@1.0.16";
import { FileError } from "../errors.ts";
import { type Dataset, type Split, takeFirst } from "./dataset.ts";
import { drawDigits } from "./digits.ts";
import { exists } from "./file.ts";
import { readFolder } from "./folder.ts";
import { holdsMnist, MNIST_FILES, readMnist } from "./mnist.ts";

const READERS: Record<string, (split: Split) => Dataset | Promise<Dataset>> = {
  digits: (split) => drawDigits(split),
  mnist: async (split) => await readMnist(await findMnist(split), split),
};

/**
 * Loads one split of a data set.
 *
 * @param name `digits` (drawn, nothing to download), `mnist` (from `$LPNTK_DATA/mnist`, or else
 * from the cache folder), or a folder with `images.npy` and `labels.npy` or with the IDX files of
 * MNIST; a folder that has a known name is written `./mnist`
 * @param options.size keeps only the first samples
 * @throws {RangeError} when a name without `/` is neither known nor a folder, or the split holds fewer than `size` samples
 * @throws {FileError} when files are missing or broken
 * @throws {DataError} when images and labels do not fit
 */
export async function loadDataset(
  name: string,
  split: Split,
  { size }: { readonly size?: number } = {},
): Promise<Dataset> {
  const whole = await readWhole(name, split);
  return size === undefined ? whole : takeFirst(whole, size);
}

async function readWhole(name: string, split: Split): Promise<Dataset> {
  if (Object.hasOwn(READERS, name)) return await READERS[name](split);
  if (!await exists(name)) throw explainMissing(name);
  if (await exists(`${name}/images.npy`) || await exists(`${name}/test_images.npy`)) {
    return await readFolder(name, split);
  }
  if (await holdsMnist(name, split)) return { ...await readMnist(name, split), name };
  const { images } = MNIST_FILES[split];
  throw new FileError(
    name,
    `Cannot load data set ${name}: got none of images.npy, ${images}, ${images}.gz in it, need ` +
      "arrays of NumPy or the IDX files of MNIST",
  );
}

/**
 * The folder for downloads: `$XDG_CACHE_HOME/lpntk` or `~/.cache/lpntk`, on macOS
 * `~/Library/Caches/lpntk`, on Windows `%LOCALAPPDATA%\lpntk`.
 *
 * @throws {Error} when the environment variable that it hangs from is not set
 */
export function cacheFolder(): string {
  return chooseCacheFolder(Deno.build.os, (name) => Deno.env.get(name));
}

/** {@link cacheFolder} for a given operating system and environment. */
export function chooseCacheFolder(
  os: typeof Deno.build.os,
  readVariable: (name: string) => string | undefined,
): string {
  const need = (name: string) => {
    const value = readVariable(name);
    if (value) return value;
    throw new Error(
      `Cannot find the cache folder: got no ${name} in the environment, need it, or the data in ` +
        "LPNTK_DATA",
    );
  };
  if (os === "windows") return `${need("LOCALAPPDATA")}\\lpntk`;
  if (os === "darwin") return `${need("HOME")}/Library/Caches/lpntk`;
  return `${readVariable("XDG_CACHE_HOME") || `${need("HOME")}/.cache`}/lpntk`;
}

/** The folder of a named data set: in `$LPNTK_DATA` when that is set, else in the cache folder. */
export function chooseDataFolder(name: string): string {
  return `${Deno.env.get("LPNTK_DATA") || cacheFolder()}/${name}`;
}

async function findMnist(split: Split): Promise<string> {
  const preferred = chooseDataFolder("mnist");
  if (await holdsMnist(preferred, split)) return preferred;
  const cached = `${cacheFolder()}/mnist`;
  return await holdsMnist(cached, split) ? cached : preferred;
}

function explainMissing(name: string): Error {
  if (/[/\\]/.test(name)) {
    return new FileError(name, `Cannot load data set ${name}: got no such folder, need one`);
  }
  const known = Object.keys(READERS);
  const nearest = known.find((other) => distance(name, other) <= 2);
  return new RangeError(
    `Cannot load data set ${name}: got an unknown name, need ${known.join(", ")} or a folder` +
      (nearest ? `; did you mean ${nearest}?` : ""),
  );
}
