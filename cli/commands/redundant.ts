/** `lpntk redundant`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { findRedundant } from "../../mod.ts";
import { withSource } from "../inputs.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { addSourceCommand, formatShare, options, report } from "./shared.ts";

/** Adds the command. */
export function addRedundant(program: Command): void {
  addSourceCommand(
    program,
    "redundant",
    "find redundant samples: another sample resembles them more than they do themselves",
  )
    .addOption(options.out("folder for redundant.npy and summary.json"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "redundant", options: settings },
        (folder) =>
          withSource(settings, async ({ kernel, count, origin }) => {
            const flags = await withProgress(
              "comparing",
              "tiles",
              (onProgress) => findRedundant(kernel, onProgress),
            );
            const redundant = flags.reduce((sum, flag) => sum + flag, 0);
            const summary = { samples: count, redundant, share: redundant / count, ...origin };
            await folder.writeNpy("redundant.npy", flags, [count]);
            await folder.writeJson("summary.json", summary);
            return summary;
          }),
      );
      report(json, summary, [
        `${summary.redundant} of ${summary.samples} samples are redundant (${
          formatShare(summary.share)
        })`,
        `wrote ${out}`,
      ]);
    });
}
