/** A data set with known faults: embedded digits, some with wrong labels, some there twice. @module */
import {
  createDataset,
  type Dataset,
  drawDigits,
  flipLabels,
  takeSamples,
  writeFolder,
} from "../../../mod.ts";

/** Digits that are drawn, and the names of their classes, which spreadsheets, CSV and HTML would misread. */
const DIGITS = [0, 1, 7];
export const CLASSES = ["zéro", "=one", 'se"ven, <7>'];

/** A planted data set: what it holds, and what is wrong with it. */
export interface Planted {
  readonly train: Dataset;
  readonly test: Dataset;
  /** True label of each training sample. */
  readonly truth: Int32Array;
  /** Indices of the training samples with wrong labels. */
  readonly wrong: ReadonlySet<number>;
  /** Pairs of indices of equal samples. */
  readonly copies: readonly (readonly [number, number])[];
}

/** Draws digits of three classes, of which 1 in 20 gets a wrong label, and then copies of some. */
export function plantFaults({ count = 60, copies = 3, testCount = 30 } = {}): Planted {
  const pure = drawClasses("train", count);
  const { data, flipped } = flipLabels(pure, 0.05, 1000);
  const wrong = new Set(flipped);
  const twice = [...pure.labels.keys()].filter((index) => !wrong.has(index)).slice(0, copies);
  const order = [...pure.labels.keys(), ...twice];
  return {
    train: nameFiles(takeSamples(data, order)),
    test: nameFiles(drawClasses("test", testCount)),
    truth: takeSamples(pure, order).labels,
    wrong,
    copies: twice.map((index, n) => [index, count + n]),
  };
}

/** Writes the folder of a planted data set, with its test split or without. */
export async function writePlanted(
  path: string,
  { train, test }: Planted,
  { withTest = true } = {},
): Promise<void> {
  await writeFolder(path, withTest ? { train, test } : { train });
}

/** Draws samples of the three classes, in turns. */
function drawClasses(split: "train" | "test", count: number): Dataset {
  const digits = drawDigits(split);
  const byClass = DIGITS.map((digit) =>
    [...digits.labels.keys()].filter((index) => digits.labels[index] === digit)
  );
  const taken = Array.from({ length: count }, (_, n) => byClass[n % 3][Math.floor(n / 3)]);
  const { indices: _, ...part } = takeSamples(digits, taken);
  const labels = part.labels.map((digit) => DIGITS.indexOf(digit));
  return createDataset({ ...part, labels, classes: 3, classNames: CLASSES });
}

/** Gives every sample a file, one with a name that a spreadsheet would compute, and drops the indices. */
function nameFiles({ indices: _, ...data }: Dataset): Dataset {
  const files = Array.from(data.labels, (_, n) => n === 3 ? "=3,.png" : `${data.split}/${n}.png`);
  return createDataset({ ...data, files });
}
