/**
 * Options that several commands take, and how results are printed.
 *
 * @module
 */
import { type Command, Option, type OptionValues } from "npm:@commander-js/extra-typings@15.1.0";
import type {
  ParameterChoice,
  Schedule,
  Segment,
  SketchError,
  Split,
  TrainingOptions,
} from "../../mod.ts";
import { MODEL_NEED } from "../model.ts";
import { print } from "../print.ts";
import { formatCount } from "../units.ts";
import {
  parseBatch,
  parseBytes,
  parseCount,
  parseFraction,
  parseImageSize,
  parseLayers,
  parseModel,
  parseNotNegative,
  parsePath,
  parsePositive,
  parseSeed,
} from "./values.ts";

/** Options that choose a network's kernel, and cannot go with `--kernel`, a stored one. */
const NETWORK_FLAGS = [
  "model",
  "weights",
  "data",
  "size",
  "strict",
  "kind",
  "parameters",
  "split",
  "trainSize",
  "testSize",
  "sampleSeed",
  "first",
  "sketch",
] as const;

/** Note on `--out` of the commands that resume. */
export const RESUME_NOTE = "the same call resumes a run that was stopped";

/** Makers of options: every command needs options of its own, since commander keeps state in them. */
export const options = {
  model: () =>
    new Option(
      "--model <name>",
      `network: ${MODEL_NEED} whose default export is a NetworkDefinition`,
    ).argParser(parseModel),
  weights: () =>
    new Option(
      "--weights <file>",
      "weights as .safetensors, in PyTorch's layout (default: those of an .onnx file)",
    ),
  data: () =>
    new Option(
      "--data <name>",
      "data set: digits, mnist, fashion-mnist, cifar10, cifar100, or a folder of pictures or arrays",
    ),
  size: () =>
    new Option(
      "--size <HxW>",
      "height and width that the pictures of --data are resized to, such as 32x32",
    ).argParser(parseImageSize),
  strict: () => new Option("--strict", "end at the first picture of --data that cannot be read"),
  kernel: () =>
    new Option("--kernel <file>", "stored kernel [N, N], .zarr or .npy")
      .conflicts([...NETWORK_FLAGS]),
  labels: () =>
    new Option(
      "--labels <file>",
      "labels for --kernel, .npy: one for each of its samples, or for each sample of the whole split",
    ),
  kind: () =>
    new Option("--kind <kind>", "kind of kernel").choices(["lpntk", "pntk"] as const)
      .default("lpntk" as const),
  split: () =>
    new Option("--split <split>", "split to take samples from").choices(["train", "test"] as const)
      .default("train" as const),
  trainSize: (otherwise = "") =>
    new Option(
      "--train-size <n>",
      `use n training samples, drawn class by class in proportion${otherwise}`,
    ).argParser(parseCount),
  testSize: () =>
    new Option("--test-size <n>", "use n test samples, drawn class by class in proportion")
      .argParser(parseCount),
  layers: () =>
    new Option(
      "--layers <names>",
      "compute the kernel of these layers alone, such as conv1,fc1; the whole kernel is the sum over its layers",
    ).argParser(parseLayers),
  parameters: () =>
    new Option(
      "--parameters <which>",
      "parameters that count, of the layers: all, or the weights and biases of convolutions and dense layers without norms'",
    ).choices(["all", "weights"] as const).default("all" as const),
  sampleSeed: () =>
    new Option("--sample-seed <n>", "seed that draws the samples, independent of --seed")
      .default(0).argParser(parseSeed),
  first: () =>
    new Option("--first", "take the first samples of a split instead of drawing them")
      .conflicts("sampleSeed"),
  memory: () =>
    new Option(
      "--memory <size>",
      "memory that the process may take, and a card as much of its own; on a CPU both together, such as 4GiB; default: four fifths of the free memory, and all that a card has",
    ).argParser(parseBytes),
  sketch: () =>
    new Option(
      "--sketch <n>",
      "estimate the kernel from n random projections of each sample's gradient, and report the error",
    ).argParser(parseCount),
  out: (what: string) =>
    new Option("--out <path>", what).makeOptionMandatory().argParser(parsePath),
  seed: () => new Option("--seed <n>", "random seed").default(0).argParser(parseSeed),
  json: () => new Option("--json", "print the summary as JSON"),
};

// Return types of the two functions below are spelt out: those that commander infers for such chains are too large for the incremental type check,
// which then never ends.

/** Values of the options that `addSourceCommand` adds. */
export type SourceFlags = {
  readonly model?: string;
  readonly weights?: string;
  readonly data?: string;
  readonly size?: readonly [height: number, width: number];
  readonly strict?: true;
  readonly kind: "lpntk" | "pntk";
  readonly layers?: readonly string[];
  readonly parameters: ParameterChoice;
  readonly split: Split;
  readonly trainSize?: number;
  readonly testSize?: number;
  readonly sampleSeed: number;
  readonly first?: true;
  readonly kernel?: string;
  readonly memory?: number;
  readonly sketch?: number;
};

/** Values of the options that `addTrainingOptions` adds. */
export type TrainingFlags = {
  readonly epochs: number;
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly batch: number | "full";
  readonly schedule: Schedule;
  readonly augment?: true;
};

/** Adds a command that works on a kernel: that of a network over samples, or a stored one. */
export function addSourceCommand(
  program: Command,
  name: string,
  description: string,
): Command<[], SourceFlags> {
  const command = program.command(name)
    .description(description)
    .addOption(options.model())
    .addOption(options.weights())
    .addOption(options.data())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.kind())
    .addOption(options.layers())
    .addOption(options.parameters())
    .addOption(options.split())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .addOption(options.kernel())
    .addOption(options.memory())
    .addOption(options.sketch());
  return command as unknown as Command<[], SourceFlags>;
}

/** Adds the options of how to train, with defaults that suit the number of samples. */
export function addTrainingOptions<A extends unknown[], O extends OptionValues>(
  command: Command<A, O>,
  { epochs, learningRate, batch }: { epochs: number; learningRate: number; batch: number },
): Command<A, O & TrainingFlags> {
  const extended = command
    .addOption(
      new Option("--epochs <n>", "passes over the training samples").default(epochs)
        .argParser(parseCount),
    )
    .addOption(
      new Option("--lr <rate>", "learning rate").default(learningRate).argParser(parsePositive),
    )
    .addOption(new Option("--momentum <m>", "momentum").default(0.9).argParser(parseFraction))
    .addOption(
      new Option("--weight-decay <d>", "weight decay").default(0).argParser(parseNotNegative),
    )
    .addOption(
      new Option("--batch <n>", "samples per step, or full").default(batch as number | "full")
        .argParser(parseBatch),
    )
    .addOption(
      new Option("--schedule <name>", "learning-rate schedule")
        .choices(["constant", "step", "cosine"] as const).default("constant" as const),
    )
    .option("--augment", "shift and mirror the training samples at random, anew in every epoch");
  return extended as unknown as Command<A, O & TrainingFlags>;
}

/** Picks the training options from a command's options. */
export function chooseTraining(
  { epochs, lr: learningRate, momentum, weightDecay, batch, schedule, augment }: TrainingFlags,
): TrainingOptions {
  return { epochs, learningRate, momentum, weightDecay, batch, schedule, augment };
}

/** Training defaults for ten thousand samples and more. */
export const LARGE_SET = { epochs: 3, learningRate: 0.05, batch: 128 };

/** Training defaults for a few thousand samples, on which larger steps are unstable. */
export const SMALL_SET = { epochs: 10, learningRate: 0.02, batch: 64 };

/** Prints a summary: as JSON, or its lines. */
export function report(json: true | undefined, summary: unknown, lines: readonly string[]): void {
  print(json ? JSON.stringify(summary, null, 2) : lines.join("\n"));
}

/** Line with the error of a sketched kernel; none for an exact one. */
export function describeSketch(sketch: SketchError | undefined): string[] {
  if (!sketch) return [];
  const { dimension, exactLength, pairs, error, bias } = sketch;
  const share = (value: number) => `${(100 * value).toPrecision(2)}%`;
  return [
    `estimated from ${formatCount(dimension)} random projections of ${
      formatCount(exactLength)
    } floats a sample: off by ${share(error)} of sqrt(k(x,x) k(x',x')), root mean square over ${
      formatCount(pairs)
    } pairs computed exactly; mean error ${share(bias)}`,
  ];
}

/** Formats 0.123 as `12.3%`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

/** Describes what a row holds of a layer. */
export function describeSegment(segment: Segment): string {
  if (segment.isSketched) {
    return `${
      segment.kind === "plain"
        ? formatCount(segment.length)
        : `${formatCount(segment.inputs)} + ${formatCount(segment.outputs)}`
    }, sketched`;
  }
  return segment.kind === "plain"
    ? `${formatCount(segment.length)}, contracted`
    : `${segment.positions > 1 ? `${segment.positions} x ` : ""}${formatCount(segment.inputs)} + ${
      formatCount(segment.outputs)
    }, factored, for ${formatCount(segment.inputs * segment.outputs)}`;
}
