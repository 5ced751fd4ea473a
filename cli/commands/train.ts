/** `lpntk train`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { encodeSafetensors, openEngine } from "../../mod.ts";
import { loadTrainingSets } from "../inputs.ts";
import { loadDefinition } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
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
} from "./shared.ts";

/** Adds the command. */
export function addTrain(program: Command): void {
  const command = program.command("train")
    .description("train a network and record each sample's learning difficulty")
    .addOption(options.model().default("lenet5"))
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .option(
      "--validation-size <n>",
      "hold out the n training samples after those, and keep the weights that do best on them",
      parseCount,
    )
    .addOption(options.seed());
  addTrainingOptions(command, LARGE_SET)
    .addOption(options.out("folder for weights.safetensors, metrics.json and difficulty.npy"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const definition = await loadDefinition(settings.model);
      const { train, validation, test } = await loadTrainingSets(settings);
      for (const samples of [train, test]) noteEmptyClasses(samples);
      const { model, seed } = settings;
      const summary = await OutputFolder.fill(
        out,
        { command: "train", options: settings },
        async (folder) => {
          using engine = await openEngine();
          const source = { seed, classes: train.classes };
          using network = engine.network(definition, source, train.shape);
          const result = await withProgress(
            "training",
            "images",
            (onProgress) =>
              engine.train(network, train, {
                ...chooseTraining(settings),
                seed,
                validation,
                test,
                onProgress,
              }),
          );
          const summary = {
            model,
            data: settings.data,
            samples: train.labels.length,
            adapter: engine.adapter.name,
            bestEpoch: result.bestEpoch,
            epochs: result.epochs,
          };
          const metadata = { format: "pt", model, data: settings.data };
          await folder.writeBytes(
            "weights.safetensors",
            encodeSafetensors(result.weights, metadata),
          );
          await folder.writeNpy("difficulty.npy", result.difficulty, [train.labels.length]);
          await folder.writeJson("metrics.json", summary);
          return summary;
        },
      );
      const lines = summary.epochs.map((e) =>
        `epoch ${e.epoch}: training loss ${e.trainLoss.toFixed(4)}, test accuracy ${
          formatShare(e.testAccuracy!)
        }, ${e.seconds.toFixed(1)} s`
      );
      report(json, summary, [...lines, `wrote ${out}`]);
    });
}
