/**
 * Reading of data sets as `--data`, `--size` and `--strict` choose them, with progress and notes.
 *
 * @module
 */
import { type Dataset, loadDataset, type Split } from "../mod.ts";
import { noteOnce } from "./notes.ts";
import { withProgress } from "./progress.ts";

/** Options that choose a data set. */
export interface DataSetOptions {
  readonly data: string;
  /** Height and width that pictures are resized to. */
  readonly size?: readonly [height: number, width: number];
  /** Ends at the first picture that cannot be read. */
  readonly strict?: true;
}

/**
 * Reads one split, as `loadDataset` does.
 *
 * @param onKept hears in which folder decoded pictures are kept
 */
export function readData(
  { data, size, strict }: DataSetOptions,
  split: Split,
  onKept?: (folder: string) => void,
): Promise<Dataset> {
  return withProgress(
    "reading",
    "pictures",
    (onProgress) =>
      loadDataset(data, split, { imageSize: size, strict, onProgress, onNote: noteOnce, onKept }),
  );
}
