/** `lpntk redundant`. @module */

import { type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import { findRedundant } from "../../mod.ts";
import { withSource } from "../inputs.ts";
import { describeChoice } from "../samples.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { addSourceCommand, describeSketch, formatShare, options, report } from "./shared.ts";

/** Adds the command. */
export function addRedundant(program: Command): void {
  addSourceCommand(
    program,
    "redundant",
    "find redundant samples: those more similar to another sample than to themselves",
  )
    .addOption(
      new Option(
        "--rule <rule>",
        "compare with any other sample, or with later ones alone as the authors' code does",
      ).choices(["any", "later"] as const).default("any" as const),
    )
    .addOption(
      options.out(
        "folder for redundant.npy, a flag for each sample, samples.npy, tables of both, and summary.json",
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, rule, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "redundant", options: { ...settings, rule } },
        (folder) =>
          withSource(settings, folder, async ({ kernel, count, samples, choice, origin }) => {
            const flags = await withProgress(
              "comparing",
              "tiles",
              (onProgress) => findRedundant(kernel, { rule, onProgress }),
            );
            const redundant = flags.reduce((sum, flag) => sum + flag, 0);
            const share = redundant / count;
            const summary = { samples: count, choice, rule, redundant, share, ...origin };
            await folder.writeValues("redundant.npy", flags, samples);
            await folder.writeSamples(samples);
            await folder.writeJson("summary.json", summary);
            return summary;
          }),
      );
      report(json, summary, [
        ...describeChoice("samples", summary.choice),
        `${summary.redundant} of ${summary.samples} samples are redundant (${
          formatShare(summary.share)
        })`,
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}
