/**
 * Choice of the samples that commands work on, by `--data`, sizes, `--sample-seed` and `--first`, and how it is printed and recorded.
 *
 * The choice depends on these options and the labels alone, so that commands with the same options work on the same samples. An index that a user
 * meets is one in the whole split; a position is one among the chosen samples.
 *
 * @module
 */
import { dirname } from "node:path";
import { z } from "npm:zod@4.6.7";
import {
  type Dataset,
  drawStratified,
  hashDataset,
  hashIntegers,
  hasSplit,
  indexSample,
  loadMetadata,
  type Split,
  takeFirst,
  takeSamples,
} from "../mod.ts";
import { readJson } from "../engine/formats/json.ts";
import { describeName } from "../engine/options.ts";
import { type DataSetOptions, readData } from "./data_set.ts";
import type { Lookup } from "./known_samples.ts";
import { isOnnx } from "./model.ts";
import type { OutputFolder } from "./output.ts";
import { formatCount } from "./units.ts";
import { UsageError } from "./usage.ts";
import { say } from "./print.ts";

/** Options of drawing a part of a split. */
export interface DrawOptions {
  /** Seed of the draw. Default: 0. */
  readonly sampleSeed?: number;
  /** Takes the first samples instead of drawing. */
  readonly first?: true;
}

/** Options that choose samples. */
export interface DataOptions extends DrawOptions, DataSetOptions {
  readonly trainSize?: number;
  readonly testSize?: number;
}

const CHOICE = z.object({
  /** Split that the indices refer to; `train` for test samples that are held out from it. */
  split: z.enum(["train", "test"]),
  size: z.number(),
  /** Number of samples of the whole split. */
  of: z.number(),
  sampleSeed: z.number().optional(),
  first: z.literal(true).optional(),
  /** Set for test samples of a data set without a test split. */
  heldOut: z.literal(true).optional(),
  /** SHA-256 of the whole split's labels, which tells indices of another data set. */
  labelsSha256: z.string().optional(),
});

/** How samples were chosen, for the record: how many, and the seed of the draw or that they are the first ones. */
export type SampleChoice = z.infer<typeof CHOICE>;

/** Chosen samples, and how they were chosen. */
export interface Samples {
  readonly data: Dataset;
  readonly choice: SampleChoice;
  /** File of each sample of the whole split; absent where samples are no files. */
  readonly allFiles?: readonly string[];
  /** The training samples that these were held out from. */
  readonly heldOutFrom?: Dataset;
}

/** Samples that a network is trained, validated and tested on. */
export interface TrainingSets {
  readonly train: Samples;
  readonly validation: Samples | undefined;
  /** Test samples; without a test split a share of the training split, which `train` leaves out. */
  readonly test: Samples;
}

/** Inverse of the share of training samples that is held out where a data set has no test split. */
const HELD_OUT = 5;

function draw(data: Dataset, size: number, { sampleSeed, first }: DrawOptions): Dataset {
  return first ? takeFirst(data, size) : drawStratified(data, size, { seed: sampleSeed });
}

/**
 * Draws parts of a data set that share no sample: each from what those before it leave.
 *
 * @throws {RangeError} if there are fewer samples.
 */
export function drawApart(
  whole: Dataset,
  sizes: readonly number[],
  options: DrawOptions,
): Dataset[] {
  const taken = new Set<number>();
  return sizes.map((size) => {
    const left = [...whole.labels.keys()].filter((position) =>
      !taken.has(indexSample(whole, position))
    );
    const part = draw(taken.size === 0 ? whole : takeSamples(whole, left), size, options);
    for (const position of part.labels.keys()) taken.add(indexSample(part, position));
    return part;
  });
}

function describe(data: Dataset, whole: Dataset, { sampleSeed = 0, first }: DrawOptions): Samples {
  const { split, labels: { length: size } } = data;
  const { length: of } = whole.labels;
  const how = size === of ? {} : first ? { first } : { sampleSeed };
  const choice = { split, size, of, ...how, labelsSha256: hashIntegers(whole.labels) };
  return { data, choice, allFiles: whole.files };
}

async function loadPart(
  split: Split,
  size: number | undefined,
  options: DataOptions,
): Promise<Samples> {
  const whole = await readData(options, split);
  const { length } = whole.labels;
  return describe(draw(whole, size ?? length, options), whole, options);
}

/**
 * Loads the chosen samples of one split.
 *
 * @throws {UsageError} if the size of the other split is given; `RangeError` if there is no such data set, or it is smaller.
 */
export async function loadSamples(
  { split = "train", ...options }: DataOptions & { readonly split?: Split },
): Promise<Samples> {
  if (split === "test" && !await hasSplit(options.data, "test")) {
    return (await loadTrainingSets(options)).test;
  }
  const sizes = { train: options.trainSize, test: options.testSize };
  const other = split === "train" ? "test" : "train";
  if (sizes[other] !== undefined) {
    throw new UsageError(
      `got --${other}-size ${
        sizes[other]
      } for the ${split} split, need --split ${other} or --${split}-size`,
    );
  }
  return await loadPart(split, sizes[split], options);
}

/**
 * Loads training samples, others of the same split for validation, and test samples.
 *
 * @param options.defaultSize most training samples where `trainSize` is left out; all by default
 * @throws {UsageError} if the training split does not hold as many.
 */
export async function loadTrainingSets(
  options: DataOptions & { readonly validationSize?: number; readonly defaultSize?: number },
): Promise<TrainingSets> {
  const { data, validationSize = 0, defaultSize = Infinity } = options;
  const test = await hasSplit(data, "test")
    ? await loadPart("test", options.testSize, options)
    : undefined;
  const whole = await readData(options, "train");
  const count = whole.labels.length;
  const fifth = Math.max(1, Math.floor(count / HELD_OUT));
  const reserve = validationSize + (test ? 0 : options.testSize ?? fifth);
  const trainSize = options.trainSize ?? Math.min(defaultSize, count - reserve);
  const left = count - trainSize - validationSize;
  const heldOut = test ? 0 : options.testSize ?? Math.min(fifth, left);
  if (trainSize < 1 || left < heldOut || (!test && heldOut < 1)) {
    throw new UsageError(
      `got ${trainSize} training samples${
        validationSize > 0 ? ` beside --validation-size ${validationSize}` : ""
      }${
        test ? "" : ` and ${Math.max(1, heldOut)} to test on, as ${data} has no test images`
      }, need 1 at least, and at most the ${count} samples of ${data} together`,
    );
  }
  const sizes = [
    trainSize,
    ...test ? [] : [heldOut],
    ...validationSize > 0 ? [validationSize] : [],
  ];
  const [train, ...others] = drawApart(whole, sizes, options)
    .map((part) => describe(part, whole, options));
  return { train, test: test ?? markHeldOut(others.shift()!, train), validation: others[0] };
}

function markHeldOut(samples: Samples, train: Samples): Samples {
  return { ...samples, choice: { ...samples.choice, heldOut: true }, heldOutFrom: train.data };
}

/** What a sample of these is found by, as a user names it. */
export function toLookup({ data: { name, indices }, allFiles }: Samples): Lookup {
  return { indices, allFiles, folder: name };
}

/** Line that describes a part of a split; none for a whole one. */
export function describeChoice(what: string, choice: SampleChoice | undefined): string[] {
  if (choice === undefined || choice.size === choice.of) return [];
  const { size, of, first, sampleSeed, heldOut } = choice;
  return [
    `${what}: ${formatCount(size)} of ${formatCount(of)}${
      heldOut ? " training samples, held out as the set has no test images" : ""
    }, ${first ? "from the first on" : `class by class (sample seed ${sampleSeed})`}`,
  ];
}

/** Lines that describe every set, as {@linkcode describeChoice} does. */
export function describeChoices(choices: ReturnType<typeof listChoices>): string[] {
  const { train, validation, test } = choices;
  return [
    ...describeChoice("samples", train),
    ...describeChoice("validation samples", validation),
    ...describeChoice("test samples", test),
  ];
}

/** Choices of the sets, for the record. */
export function listChoices({ train, validation, test }: TrainingSets) {
  return { train: train.choice, validation: validation?.choice, test: test.choice };
}

/** Writes which samples every set holds, as {@linkcode OutputFolder.writeSamples} does. */
export async function writeTrainingSamples(
  folder: OutputFolder,
  { train, validation, test }: TrainingSets,
): Promise<void> {
  await folder.writeSamples(train.data);
  if (validation) await folder.writeSamples(validation.data, "validation_samples.npy");
  await folder.writeSamples(test.data, "test_samples.npy");
}

/** Options that choose the same training samples again. */
function nameOptions({ size, sampleSeed, first }: SampleChoice): string {
  return `--train-size ${size} ${first ? "--first" : `--sample-seed ${sampleSeed}`}`;
}

/**
 * Finds the positions among the training samples of those whose indices in the whole split a file holds.
 *
 * @param path the file, for an error
 * @throws {UsageError} if they are of the test split, or one of them is not among the training samples; the message names it, and says with
 * which options it would be.
 */
export async function locateKept(
  path: string,
  kept: Int32Array,
  { train, test }: TrainingSets,
): Promise<Int32Array> {
  const { data: { indices }, choice } = train;
  const { choice: chosen, samples } = await readSummary(`${dirname(path)}/summary.json`);
  const refuse = (got: string) =>
    new UsageError(`Cannot keep the samples of ${path}: got ${got}, need training samples`);
  if (chosen?.split === "test") throw refuse("samples of the test split");
  if (chosen?.heldOut) throw refuse("samples that are held out for testing");
  const isOfThese = chosen?.labelsSha256 === undefined ||
    chosen.labelsSha256 === choice.labelsSha256;
  if (!isOfThese) throw refuse("samples of a data set with other labels");
  if (!chosen && samples !== undefined && samples !== choice.of) {
    throw refuse(
      `samples of a kernel of ${samples} that does not say which of the ${choice.of} in the set they are`,
    );
  }
  if (!indices) return kept;
  const positions = new Map(Array.from(indices, (index, position) => [index, position]));
  const stranger = kept.find((index) => !positions.has(index));
  if (stranger === undefined) return kept.map((index) => positions.get(index)!);
  const options = nameOptions(choice);
  const mend = chosen && chosen.size < chosen.of && nameOptions(chosen) !== options
    ? `it was chosen from ${nameOptions(chosen)}`
    : test.choice.heldOut
    ? `the others are for testing, as the set has no test images; choose from these by ${options} in prune, gram and others`
    : `without --train-size all ${formatCount(choice.of)} are in`;
  throw new UsageError(
    `Cannot keep the samples of ${path}: got index ${stranger}, need indices of the ${
      formatCount(choice.size)
    } of ${formatCount(choice.of)} samples of ${options}; ${mend}`,
  );
}

/**
 * Fields of a `summary.json` about the samples that were kept: `choice` of `prune`, or `choices` of `run`, which trains and tests on different
 * samples.
 */
const SUMMARY = z.object({
  choice: CHOICE.optional(),
  choices: z.object({ train: CHOICE }).optional(),
  samples: z.number().optional(),
});

/** Reads from a summary how the samples were chosen and how many there were, if it tells. */
async function readSummary(
  path: string,
): Promise<{ readonly choice?: SampleChoice; readonly samples?: number }> {
  try {
    const { data } = SUMMARY.safeParse(await readJson(path, "a summary"));
    return { choice: data?.choice ?? data?.choices?.train, samples: data?.samples };
  } catch {
    return {};
  }
}

/** Parses a recorded choice of samples; undefined if the value is none. */
export function parseChoice(value: unknown): SampleChoice | undefined {
  return CHOICE.safeParse(value).data;
}

/** Metadata of a file of weights about the samples that the network was trained on. */
export function describeTrained(
  { data, choice }: Samples,
  settings: { readonly model: string; readonly data: string },
): Record<string, string> {
  return {
    format: "pt",
    model: settings.model,
    data: settings.data,
    samples: JSON.stringify(choice),
    samples_sha256: hashDataset(data),
  };
}

/**
 * Says on standard error if weights were trained on other training samples than these, as far as their file tells; not if they saw the whole split
 * that these are a part of.
 */
export async function noteOtherSamples(
  weights: string,
  { data, choice: { split }, heldOutFrom }: Samples,
  source: DataSetOptions,
): Promise<void> {
  // an ONNX file does not tell
  if (isOnnx(weights)) return;
  const metadata = await loadMetadata(weights);
  const trained = metadata.get("samples_sha256");
  if (split === "test" || trained === undefined) return;
  if (trained === hashDataset(heldOutFrom ?? data)) return;
  const choice = parseTrained(metadata.get("samples"));
  const sawAll = !heldOutFrom && choice?.size === choice?.of && data.indices !== undefined &&
    trained === hashDataset(await readData(source, "train"));
  if (sawAll) return;
  const which = choice &&
    `${formatCount(choice.size)} of ${formatCount(choice.of)}${
      choice.size === choice.of
        ? ""
        : choice.first
        ? ", from the first on"
        : `, sample seed ${choice.sampleSeed}`
    }`;
  say(
    `note: ${weights} was trained on other samples (${
      [describeName(metadata.get("data") ?? ""), which].filter(Boolean).join(": ")
    }) than ${heldOutFrom ? "those that these were held out from" : "these"}`,
  );
}

function parseTrained(text = "null"): SampleChoice | undefined {
  try {
    return parseChoice(JSON.parse(text));
  } catch {
    return undefined;
  }
}
