/**
 * What is known of samples beside their positions: indices in the whole split, labels, and names of classes and files. Every result that refers to
 * samples names them by these functions.
 *
 * @module
 */
import { relative } from "node:path";
import { type Dataset, indexSample, nameClass } from "../mod.ts";
import { type Cell, encodeCsv } from "../engine/formats/csv.ts";
import { describeName, findNearest } from "../engine/options.ts";
import { formatCount } from "./units.ts";
import { UsageError } from "./usage.ts";

/** Samples as they are known: a data set, or what is recorded of a stored kernel's samples, which have no names. */
export type KnownSamples = Pick<Dataset, "indices" | "classNames" | "files"> & {
  /** Label of each sample, `[N]`; absent where a stored kernel is used without `--labels`. */
  readonly labels?: ArrayLike<number>;
};

/** Cells that tell which sample a row is of: its index in the whole split, its file and the name of its class, or its label where classes have no names. */
export function identifySample(samples: KnownSamples, position: number) {
  const { labels, files } = samples;
  const label = labels?.[position];
  return {
    index: indexSample(samples, position),
    file: files?.[position] ?? null,
    label: label === undefined ? null : nameLabel(samples, label),
  } satisfies Record<string, Cell>;
}

/** Cell of a label: its class's name, or the number where classes have none. */
export function nameLabel({ classNames }: KnownSamples, label: number): string | number {
  return classNames ? nameClass({ classNames }, label) : label;
}

/** Fields of a summary that tell which sample something is said of, with the number of its class and, where it has one, the class's name. */
export function describeSample(samples: KnownSamples, position: number) {
  const { labels, files } = samples;
  return {
    sample: indexSample(samples, position),
    ...files && { file: files[position] },
    ...labels && describeLabel(samples, labels[position]),
  };
}

/** Fields of a summary with the number of a class and, where it has one, its name. */
export function describeLabel({ classNames }: KnownSamples, label: number) {
  return { label, ...classNames && { class: nameClass({ classNames }, label) } };
}

/** A sample as a line on the terminal names it: `#12`, or `#12 train/cat/1.png`. */
export function printSample({ sample, file }: { readonly sample: number; readonly file?: string }) {
  return file === undefined ? `#${sample}` : `#${sample} ${describeName(file)}`;
}

/** A class as a line on the terminal names it. */
export function printLabel(described: { readonly label?: number; readonly class?: string }) {
  return described.class === undefined ? `${described.label}` : describeName(described.class);
}

/** Converts positions among chosen samples to indices in the whole split, `[K]` i32. */
export function toIndices(
  positions: ArrayLike<number>,
  { indices }: KnownSamples,
): Int32Array<ArrayBuffer> {
  return Int32Array.from(positions, (position) => indexSample({ indices }, position));
}

/**
 * Encodes a table with a row for each sample: `index,file,label`, and a column of values under its name if they are given.
 *
 * @param positions positions of the samples, in the order of the rows
 */
export function encodeSamples(
  samples: KnownSamples,
  positions: ArrayLike<number>,
  column?: { readonly name: string; readonly values: ArrayLike<number> },
): string {
  const rows = Array.from(positions, (position, row) => ({
    ...identifySample(samples, position),
    ...column && { [column.name]: roundToFloat32(column.values[row]) },
  }));
  const names = ["index", "file", "label", ...column ? [column.name] : []];
  return encodeCsv(rows, names);
}

/** Rounds a float32 to the nine digits that tell it apart, so that a table shows no more; an integer of so many digits stays what it is. */
export function roundToFloat32(value: number): number {
  return Number(value.toPrecision(9));
}

/** Name of the table beside a `.npy` of samples. */
export function nameTable(npy: string): string {
  return npy.replace(/\.npy$/, ".csv");
}

/** Samples among which one is looked for, and the names of all files of their split. */
export interface Lookup {
  /** Indices of the samples in the whole split; absent where they are all of it. */
  readonly indices?: Int32Array;
  /** File of each sample of the whole split; absent where samples are no files. */
  readonly allFiles?: readonly string[];
  /** Folder that the files lie in, or another name of the data set. */
  readonly folder?: string;
}

/**
 * Finds the position among chosen samples of the one that a user names: by its file, as CSV files have it or by its path, or by its index in the
 * whole split. Digits alone are an index, unless a file has that name.
 *
 * @param action what it is wanted for, such as `list the partners`
 * @throws {UsageError} if there is no such file, or the sample is not among them; the message names the nearest ones.
 */
export function findPosition(text: string, lookup: Lookup, action: string): number {
  const { indices } = lookup;
  const index = findIndex(text, lookup, action);
  const position = indices ? indices.indexOf(index) : index;
  if (position >= 0) return position;
  const above = indices!.findIndex((other) => other > index);
  const nearest = above < 0
    ? [indices!.at(-1)]
    : [...indices!.subarray(Math.max(0, above - 1), above + 1)];
  throw new UsageError(
    `Cannot ${action} of sample ${describeName(text)}: got a sample that is not among the ${
      formatCount(indices!.length)
    } chosen ones, need one of them, such as ${nearest.join(" or ")}`,
  );
}

/** Finds the index in the whole split of a sample that a user names. */
function findIndex(text: string, { allFiles, folder = "" }: Lookup, action: string): number {
  const named = allFiles?.indexOf(text) ?? -1;
  if (named >= 0) return named;
  if (/^\d+$/.test(text)) return Number(text);
  const refuse = (need: string) =>
    new UsageError(
      `Cannot ${action} of sample ${describeName(text)}: got no index, need ${need}`,
    );
  if (!allFiles) throw refuse("one, as these samples are no files");
  // as the shell completes it
  const path = relative(folder, text).replaceAll("\\", "/");
  const at = allFiles.indexOf(path);
  if (at >= 0) return at;
  const nearest = allFiles.find((file) => file.endsWith(`/${text}`)) ??
    findNearest(text, allFiles);
  throw refuse(
    `one, or one of the ${formatCount(allFiles.length)} files of ${describeName(folder)}` +
      (nearest === undefined
        ? `, such as ${describeName(allFiles[0])}`
        : `; did you mean ${describeName(nearest)}?`),
  );
}
