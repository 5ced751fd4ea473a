/** `lpntk run`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  type Clusters,
  clusterSamples,
  countMembers,
  type Dataset,
  dropFlagged,
  type Engine,
  findRedundant,
  hashDataset,
  keepRandom,
  pruneHeads,
  relateSamples,
  type TrainingOptions,
} from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { describeArms, summariseArms, trainArms, writeComparison } from "../comparison.ts";
import { measureSketch, project } from "../inputs.ts";
import { identifyModel, loadDefinition } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
import {
  describeChoices,
  describeTrained,
  listChoices,
  loadTrainingSets,
  type TrainingSets,
  writeTrainingSamples,
} from "../samples.ts";
import { parseCount, parseFraction, parseRatio } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { drawSamples, pictureSample, type SampleRow } from "../report/contact_sheet.ts";
import { describeClusters, writeClusters } from "./cluster.ts";
import { describeCounts } from "./relate.ts";
import {
  addTrainingOptions,
  chooseTraining,
  describeSketch,
  formatShare,
  options,
  report,
  SMALL_SET,
} from "./shared.ts";

/** Most training samples when `--train-size` is left out, so that a run takes minutes on two CPU cores. */
const DEFAULT_SIZE = 2000;

/** Adds the command. */
export function addRun(program: Command): void {
  const command = program.command("run")
    .description("do all in one call: train, find redundant samples, cluster, prune, compare")
    .addOption(options.model().default("mlp"))
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.trainSize(`; by default ${DEFAULT_SIZE}, or all where there are fewer`))
    .addOption(options.testSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .option("--ratio <r>", "clusters per sample", parseRatio, 0.1)
    .option("--share <s>", "share of each class's head cluster to remove", parseFraction, 0.1)
    .option("--seeds <n>", "runs of each arm of the comparison", parseCount, 10)
    .addOption(options.memory())
    .addOption(options.sketch())
    .addOption(options.seed());
  addTrainingOptions(command, SMALL_SET)
    .addOption(options.out("folder for weights, indices, figures and summary.json"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "run", options: settings },
        async (folder) => {
          const sets = await loadTrainingSets({ ...settings, defaultSize: DEFAULT_SIZE });
          for (const { data } of [sets.train, sets.test]) noteEmptyClasses(data);
          using engine = await openAdapter({ memoryBytes: settings.memory });
          return await runAll(
            engine,
            sets,
            { ...settings, training: chooseTraining(settings) },
            folder,
          );
        },
      );
      report(json, summary, [...describe(summary), `wrote ${out}`]);
    });
}

interface RunOptions {
  readonly model: string;
  readonly data: string;
  readonly ratio: number;
  readonly share: number;
  readonly seeds: number;
  readonly seed: number;
  readonly training: TrainingOptions;
  readonly sketch?: number;
}

/** Runs sections 4.2 and 4.3 of the paper, one after the other. */
async function runAll(
  engine: Engine,
  sets: TrainingSets,
  settings: RunOptions,
  folder: OutputFolder,
) {
  const { model, data, ratio, share, seeds, seed } = settings;
  const { train: { data: train }, test: { data: test } } = sets;
  const count = train.labels.length;
  const definition = await loadDefinition(model);
  folder.declare({
    network: await identifyModel(model),
    samples: hashDataset(train),
    test: hashDataset(test),
  });
  using network = engine.network(definition, { seed, classes: train.classes }, train.shape);
  const training = await withProgress(
    "training",
    "images",
    (onProgress) => engine.train(network, train, { ...settings.training, seed, test, onProgress }),
  );
  const metadata = describeTrained(sets.train, settings);
  await folder.writeWeights("weights.safetensors", training.weights, metadata);
  await folder.writeJson("metrics.json", training.epochs);
  await folder.writeValues("difficulty.npy", training.difficulty, train);

  const how = { kind: "lpntk", sketch: settings.sketch } as const;
  const sketch = await measureSketch(engine, network, train, how);
  using rows = await project(engine, network, train, how);
  const flags = await withProgress(
    "finding redundant samples",
    "tiles",
    (onProgress) => findRedundant(rows, { onProgress }),
  );
  const { counts } = await withProgress(
    "relating",
    "tiles",
    (onProgress) => relateSamples(rows, { onProgress }),
  );
  const rest = dropFlagged(flags);
  const clusters = await withProgress(
    "clustering",
    "centroids",
    (onProgress) =>
      clusterSamples(rows, { ratio, perClass: train.labels, among: rest, onProgress }),
  );
  const keep = pruneHeads(clusters, share, seed);
  await folder.writeValues("redundant.npy", flags, train);
  await folder.writeIndices("keep.npy", keep, train);
  await writeTrainingSamples(folder, sets);
  await writeClusters(folder, clusters, train);
  const sheet = pickSamples(train, flags, clusters, training.difficulty);
  await folder.writeText("samples.svg", drawSamples(sheet, `Samples of ${data} under ${model}`));

  const arms = [
    { name: "full" },
    { name: "pruned", keep: () => keep },
    {
      name: "random",
      keep: (run: number) => keepRandom(count, keep.length, (seed + run) % 2 ** 32),
    },
  ];
  const results = await withProgress(
    "comparing",
    "images",
    (onProgress) =>
      trainArms(
        engine,
        arms,
        { definition, train, test, seeds, training: settings.training },
        onProgress,
      ),
  );
  await writeComparison(folder, results, `${model} on ${data}, ${seeds} seeds`);
  const redundant = count - rest.length;
  const summary = {
    model,
    data,
    adapter: engine.adapter.name,
    samples: count,
    testSamples: test.labels.length,
    choices: listChoices(sets),
    testAccuracy: training.epochs.at(-1)!.testAccuracy!,
    redundant,
    relations: counts,
    sketch,
    clusters: describeClusters(clusters, train),
    kept: keep.length,
    arms: summariseArms(results),
  };
  await folder.writeJson("summary.json", summary);
  return summary;
}

/** Rows of the contact sheet: a sample of each class where there is one. */
function pickSamples(
  data: Dataset,
  redundant: Uint8Array,
  clusters: Clusters,
  difficulty: Float32Array,
): SampleRow[] {
  const members = countMembers(clusters);
  const heads = new Set(clusters.heads);
  const { assignment } = clusters;
  const all = [...data.labels.keys()];
  const byDifficulty = all.toSorted((a, b) => difficulty[b] - difficulty[a]);
  const row = (
    caption: string,
    samples: readonly number[],
    wanted: (sample: number) => boolean,
  ) => ({
    caption,
    images: pickByClass(data, samples.filter(wanted)).map((sample) => pictureSample(data, sample)),
  });
  return [
    row("In the largest cluster of its class", all, (i) => heads.has(assignment[i])),
    row("Alone in its cluster", all, (i) => assignment[i] >= 0 && members[assignment[i]] === 1),
    row("Redundant", all, (i) => redundant[i] === 1),
    row("Hardest to learn", byDifficulty, () => true),
  ].filter(({ images }) => images.length > 0);
}

/** The first sample of each class, in label order. */
function pickByClass(data: Dataset, samples: readonly number[]): number[] {
  const first = new Map<number, number>();
  for (const sample of samples) {
    const label = data.labels[sample];
    if (!first.has(label)) first.set(label, sample);
  }
  return [...first.entries()].sort(([a], [b]) => a - b).map(([, sample]) => sample);
}

function describe(summary: Awaited<ReturnType<typeof runAll>>): string[] {
  const { samples, redundant, clusters, kept, testAccuracy, relations, sketch, arms } = summary;
  return [
    `${summary.model} on ${summary.data}: ${samples} training samples, test accuracy ${
      formatShare(testAccuracy)
    }`,
    ...describeChoices(summary.choices),
    "",
    `redundant: ${redundant} samples (${formatShare(redundant / samples)})`,
    ...describeCounts(relations),
    ...describeSketch(sketch),
    "",
    `${clusters.samples} samples that are not redundant in ${clusters.clusters} clusters, ${clusters.singletons} of one sample;`,
    `the largest of each class hold ${clusters.head} (${formatShare(clusters.headShare)})`,
    `pruned: ${kept} samples kept, ${samples - kept} removed (${
      formatShare((samples - kept) / samples)
    })`,
    "",
    "test accuracy after the last epoch, mean ± standard deviation over the seeds:",
    ...describeArms(arms),
  ];
}
