/** `lpntk train`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  type Dataset,
  decodeTrainingState,
  encodeTrainingState,
  type Engine,
  type Network,
  type TrainingOptions,
  type TrainingResult,
} from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { Checkpoint } from "../checkpoint.ts";
import { loadDefinition, restoreNames } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
import {
  describeChoices,
  describeTrained,
  listChoices,
  loadTrainingSets,
  writeTrainingSamples,
} from "../samples.ts";
import { say } from "../print.ts";
import { parseCount } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import {
  addTrainingOptions,
  chooseTraining,
  formatShare,
  LARGE_SET,
  options,
  report,
  RESUME_NOTE,
} from "./shared.ts";

/** Adds the command. */
export function addTrain(program: Command): void {
  const command = program.command("train")
    .description("train a network and record each sample's learning difficulty")
    .addOption(options.model().default("lenet5"))
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .option(
      "--validation-size <n>",
      "hold out n other training samples, and keep the weights that do best on them",
      parseCount,
    )
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .addOption(options.seed());
  addTrainingOptions(command, LARGE_SET)
    .addOption(
      options.out(
        `folder for weights.safetensors, metrics.json, difficulty.npy, samples.npy and tables of both; ${RESUME_NOTE}`,
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const definition = await loadDefinition(settings.model);
      const sets = await loadTrainingSets(settings);
      const train = sets.train.data;
      for (const { data } of [sets.train, sets.test]) noteEmptyClasses(data);
      const { model, seed } = settings;
      const run = { command: "train", options: settings };
      const summary = await OutputFolder.fill(
        out,
        run,
        async (folder) => {
          using engine = await openAdapter();
          const source = { seed, classes: train.classes };
          using network = engine.network(definition, source, train.shape);
          const [validation, test] = [sets.validation?.data, sets.test.data];
          const checkpoint = await Checkpoint.open(folder, run, {
            engine,
            model,
            sets: { samples: train, validation, test },
          });
          const how = { ...chooseTraining(settings), seed, validation, test };
          const result = await withProgress(
            "training",
            "images",
            (onProgress) => trainFrom(checkpoint, engine, network, train, { ...how, onProgress }),
          );
          const summary = {
            model,
            data: settings.data,
            samples: train.labels.length,
            choices: listChoices(sets),
            adapter: engine.adapter.name,
            bestEpoch: result.bestEpoch,
            epochs: result.epochs,
          };
          if ([...result.weights.keys()].some((name) => name.endsWith(".running_var"))) {
            say("note: batch norms were trained with the running statistics that they began with");
          }
          const metadata = describeTrained(sets.train, settings);
          const weights = await restoreNames(result.weights, model);
          await folder.writeWeights("weights.safetensors", weights, metadata);
          await folder.writeValues("difficulty.npy", result.difficulty, train);
          await writeTrainingSamples(folder, sets);
          await folder.writeJson("metrics.json", summary);
          return summary;
        },
      );
      const lines = summary.epochs.map((e) =>
        `epoch ${e.epoch}: training loss ${e.trainLoss.toFixed(4)}, test accuracy ${
          formatShare(e.testAccuracy!)
        }, ${e.seconds.toFixed(1)} s`
      );
      report(json, summary, [...describeChoices(summary.choices), ...lines, `wrote ${out}`]);
    });
}

/** Name of the file that holds the state after the last epoch. */
const STATE = "epoch.safetensors";

/** Trains on from the last epoch that was kept, and keeps the state after every epoch. */
async function trainFrom(
  checkpoint: Checkpoint,
  engine: Engine,
  network: Network,
  data: Dataset,
  options: TrainingOptions,
): Promise<TrainingResult> {
  const kept = await checkpoint.read(STATE);
  const resume = kept && decodeTrainingState(kept.bytes, kept.path);
  return await checkpoint.run(() =>
    engine.train(network, data, {
      ...options,
      resume,
      onEpoch: (state) => checkpoint.write(STATE, encodeTrainingState(state)),
    })
  );
}
