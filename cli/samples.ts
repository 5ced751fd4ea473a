/**
 * Which samples commands work on: what `--data`, sizes, `--sample-seed` and `--first` choose, and how that is said and recorded.
 *
 * The choice depends on these options and the labels alone, so that every command that is given the same speaks of the same samples.
 * Indices are of the whole split wherever a user meets them.
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
  loadDataset,
  loadMetadata,
  type Split,
  takeFirst,
  takeSamples,
} from "../mod.ts";
import { readJson } from "../engine/formats/json.ts";
import { describeName } from "../engine/options.ts";
import type { OutputFolder } from "./output.ts";
import { formatCount } from "./units.ts";
import { UsageError } from "./usage.ts";
import { say } from "./print.ts";

/** How to draw a part. */
export interface DrawOptions {
  /** Default: 0. */
  readonly sampleSeed?: number;
  /** Takes the first samples instead of drawing. */
  readonly first?: true;
}

/** Options that choose samples. */
export interface DataOptions extends DrawOptions {
  readonly data: string;
  readonly trainSize?: number;
  readonly testSize?: number;
}

const CHOICE = z.object({
  /** The split that the indices are of; `train` of test samples that are held out from it. */
  split: z.enum(["train", "test"]),
  size: z.number(),
  /** Samples of the whole split. */
  of: z.number(),
  sampleSeed: z.number().optional(),
  first: z.literal(true).optional(),
  /** They are test samples of a data set without a test split. */
  heldOut: z.literal(true).optional(),
  /** SHA-256 of the whole split's labels, by which indices of another data set are known. */
  labelsSha256: z.string().optional(),
});

/** How samples were chosen, for the record: of a part by which seed, or that it is the first. */
export type SampleChoice = z.infer<typeof CHOICE>;

/** Chosen samples. */
export interface Samples {
  readonly data: Dataset;
  readonly choice: SampleChoice;
  /** The training samples that these were held out from. */
  readonly heldOutFrom?: Dataset;
}

/** What a network is trained on and judged by. */
export interface TrainingSets {
  readonly train: Samples;
  readonly validation: Samples | undefined;
  /** Of a data set without a test split a share of its training split, which `train` leaves out. */
  readonly test: Samples;
}

/** Share of the training samples that is held out where a data set has no test split: one of so many. */
const HELD_OUT = 5;

function draw(data: Dataset, size: number, { sampleSeed, first }: DrawOptions): Dataset {
  return first ? takeFirst(data, size) : drawStratified(data, size, { seed: sampleSeed });
}

/**
 * Parts of a data set that share no sample: each is drawn from what those before it leave.
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
    const left = [...whole.labels.keys()].filter((place) => !taken.has(indexSample(whole, place)));
    const part = draw(taken.size === 0 ? whole : takeSamples(whole, left), size, options);
    for (const place of part.labels.keys()) taken.add(indexSample(part, place));
    return part;
  });
}

function describe(data: Dataset, whole: Dataset, { sampleSeed = 0, first }: DrawOptions): Samples {
  const { split, labels: { length: size } } = data;
  const { length: of } = whole.labels;
  const how = size === of ? {} : first ? { first } : { sampleSeed };
  return { data, choice: { split, size, of, ...how, labelsSha256: hashIntegers(whole.labels) } };
}

async function loadPart(
  split: Split,
  size: number | undefined,
  options: DataOptions,
): Promise<Samples> {
  const whole = await loadDataset(options.data, split);
  const { length } = whole.labels;
  return describe(draw(whole, size ?? length, options), whole, options);
}

/**
 * The samples of one split.
 *
 * @throws {UsageError} if the size of the other one is given, `RangeError` if there is no such data set, or it is smaller.
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
 * Training samples, others of the same split for validation, and test samples.
 *
 * @param options.defaultSize training samples where `trainSize` says nothing, at most what there is; all of them where this does not either
 * @throws {UsageError} if the training split does not hold as many.
 */
export async function loadTrainingSets(
  options: DataOptions & { readonly validationSize?: number; readonly defaultSize?: number },
): Promise<TrainingSets> {
  const { data, validationSize = 0, defaultSize = Infinity } = options;
  const test = await hasSplit(data, "test")
    ? await loadPart("test", options.testSize, options)
    : undefined;
  const whole = await loadDataset(data, "train");
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

function markHeldOut({ data, choice }: Samples, train: Samples): Samples {
  return { data, choice: { ...choice, heldOut: true }, heldOutFrom: train.data };
}

/** A line for a part of a split; nothing of a whole one. */
export function describeChoice(what: string, choice: SampleChoice | undefined): string[] {
  if (choice === undefined || choice.size === choice.of) return [];
  const { size, of, first, sampleSeed, heldOut } = choice;
  return [
    `${what}: ${formatCount(size)} of ${formatCount(of)}${
      heldOut ? " training samples, held out as the set has no test images" : ""
    }, ${first ? "from the first on" : `class by class (sample seed ${sampleSeed})`}`,
  ];
}

/** {@linkcode describeChoice} of every set. */
export function describeChoices(choices: ReturnType<typeof listChoices>): string[] {
  const { train, validation, test } = choices;
  return [
    ...describeChoice("samples", train),
    ...describeChoice("validation samples", validation),
    ...describeChoice("test samples", test),
  ];
}

/** How each set was chosen, for the record. */
export function listChoices({ train, validation, test }: TrainingSets) {
  return { train: train.choice, validation: validation?.choice, test: test.choice };
}

/** Writes `samples.npy`, or the indices of other samples under their name, where they are a part of their split. */
export async function writeIndices(
  folder: OutputFolder,
  indices: Int32Array | undefined,
  name = "samples.npy",
): Promise<void> {
  if (indices) await folder.writeNpy(name, indices, [indices.length]);
}

/** {@linkcode writeIndices} of every set. */
export async function writeTrainingIndices(
  folder: OutputFolder,
  { train, validation, test }: TrainingSets,
): Promise<void> {
  await writeIndices(folder, train.data.indices);
  await writeIndices(folder, validation?.data.indices, "validation_samples.npy");
  await writeIndices(folder, test.data.indices, "test_samples.npy");
}

/** Places in chosen samples as indices of the whole split, `[K]` i32. */
export function toIndices(
  places: ArrayLike<number>,
  indices: Int32Array | undefined,
): Int32Array<ArrayBuffer> {
  return Int32Array.from(places, (place) => indexSample({ indices }, place));
}

/**
 * The place among chosen samples of one that is named by its index in the whole split.
 *
 * @param action what it is wanted for, such as `list the partners`
 * @throws {UsageError} if it is not among them; the message names the nearest ones.
 */
export function findPlace(
  index: number,
  indices: Int32Array | undefined,
  action: string,
): number {
  const place = indices ? indices.indexOf(index) : index;
  if (place >= 0) return place;
  const above = indices!.findIndex((other) => other > index);
  const nearest = above < 0
    ? [indices!.at(-1)]
    : [...indices!.subarray(Math.max(0, above - 1), above + 1)];
  throw new UsageError(
    `Cannot ${action} of sample ${index}: got a sample that is not among the ${
      formatCount(indices!.length)
    } chosen ones, need one of them, such as ${nearest.join(" or ")}`,
  );
}

/** The options that choose the same training samples again. */
function nameOptions({ size, sampleSeed, first }: SampleChoice): string {
  return `--train-size ${size} ${first ? "--first" : `--sample-seed ${sampleSeed}`}`;
}

/**
 * Places among the training samples of those whose indices in the whole split a file holds.
 *
 * @param path the file, for an error
 * @throws {UsageError} if they are of the test split, or one of them is not among the training samples; the message names it, and says with
 * which options it would be.
 */
export async function placeKept(
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
  const places = new Map(Array.from(indices, (index, place) => [index, place]));
  const stranger = kept.find((index) => !places.has(index));
  if (stranger === undefined) return kept.map((index) => places.get(index)!);
  const options = nameOptions(choice);
  const mend = chosen && chosen.size < chosen.of && nameOptions(chosen) !== options
    ? `it was chosen from ${nameOptions(chosen)}`
    : test.choice.heldOut
    ? `choose from these too, as the others are for testing`
    : `without --train-size all ${formatCount(choice.of)} are in`;
  throw new UsageError(
    `Cannot keep the samples of ${path}: got index ${stranger}, need indices of the ${
      formatCount(choice.size)
    } of ${formatCount(choice.of)} samples of ${options}; ${mend}`,
  );
}

/** What a summary says of samples that were kept: of `prune`, or of `run`, which trains and tests on others. */
const SUMMARY = z.object({
  choice: CHOICE.optional(),
  choices: z.object({ train: CHOICE }).optional(),
  samples: z.number().optional(),
});

/** The choice that a summary records and how many samples there were, if it is one and does. */
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

/** A choice as a stored kernel records it, if it does. */
export function parseChoice(value: unknown): SampleChoice | undefined {
  return CHOICE.safeParse(value).data;
}

/** What weights say of the samples that they were trained on, as metadata of their file. */
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
 * Says on standard error that weights were trained on other training samples than these, where they tell; nothing if they saw the whole
 * split that these are a part of.
 */
export async function noteOtherSamples(
  weights: string,
  { data, choice: { split }, heldOutFrom }: Samples,
  name: string,
): Promise<void> {
  const metadata = await loadMetadata(weights);
  const trained = metadata.get("samples_sha256");
  if (split === "test" || trained === undefined) return;
  if (trained === hashDataset(heldOutFrom ?? data)) return;
  const choice = parseTrained(metadata.get("samples"));
  const sawAll = !heldOutFrom && choice?.size === choice?.of && data.indices !== undefined &&
    trained === hashDataset(await loadDataset(name, "train"));
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
