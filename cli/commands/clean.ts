/** `lpntk clean`. @module */

import { type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import { applyToFolder } from "../cleaning/apply.ts";
import { searchInto } from "../cleaning/search.ts";
import { OutputFolder } from "../output.ts";
import { UsageError } from "../usage.ts";
import { options, report } from "./shared.ts";
import { parsePath } from "./values.ts";

/** Adds the command. */
export function addClean(program: Command): void {
  program.command("clean")
    .description("find wrong labels, copies, outliers and redundant samples, and apply decisions")
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.model())
    .addOption(options.weights())
    .addOption(options.trainSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .addOption(options.memory())
    .addOption(options.seed())
    .option(
      "--verify",
      "train on the data as given, cleaned, and with as many removed at random, and compare",
    )
    .addOption(
      new Option(
        "--apply <file>",
        "write the data set that follows from decisions.csv, as the page saves it, instead of searching",
      ).argParser(parsePath).conflicts([
        "model",
        "weights",
        "trainSize",
        "sampleSeed",
        "first",
        "memory",
        "seed",
        "verify",
      ]),
    )
    .addOption(
      options.out("folder for the tables, index.html and summary.json, or for the new data set"),
    )
    .addOption(options.json())
    .action(async ({ out, json, apply, ...settings }) => {
      if (settings.weights !== undefined && settings.model === undefined) {
        throw new UsageError("got --weights without --model, need the network that they are of");
      }
      const { data, size, strict } = settings;
      const { summary, lines } = apply === undefined
        ? await OutputFolder.fill(
          out,
          { command: "clean", options: settings },
          (folder) => searchInto(folder, settings),
        )
        : await OutputFolder.fill(
          out,
          { command: "clean", options: { apply, data, size, strict } },
          (folder) => applyToFolder(folder, apply, { data, size, strict }),
        );
      report(json, summary, [...lines, `wrote ${out}`]);
    });
}
