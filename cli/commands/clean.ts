/** `lpntk clean`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { hashDataset } from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { chooseJudge } from "../cleaning/judge.ts";
import { investigate } from "../cleaning/investigation.ts";
import { describeFindings, summariseFindings } from "../cleaning/summary.ts";
import { writeTables } from "../cleaning/tables.ts";
import { noteEmptyClasses } from "../notes.ts";
import { OutputFolder } from "../output.ts";
import { loadSamples } from "../samples.ts";
import { options, report } from "./shared.ts";

/** Adds the command. */
export function addClean(program: Command): void {
  program.command("clean")
    .description("find wrong labels, copies, outliers and redundant samples of a data set")
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.model())
    .addOption(options.weights())
    .addOption(options.trainSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .addOption(options.memory())
    .addOption(options.seed())
    .addOption(options.out("folder for the tables, the page and summary.json"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const run = { command: "clean", options: settings };
      const { summary, lines } = await OutputFolder.fill(out, run, async (folder) => {
        const samples = await loadSamples(settings);
        const { data } = samples;
        const judge = await chooseJudge(settings, data);
        folder.declare({ samples: hashDataset(data) });
        noteEmptyClasses(data);
        using engine = await openAdapter({ memoryBytes: settings.memory });
        const found = await investigate(engine, data, judge, settings.seed);
        const findings = { ...found, next: [] };
        await writeTables(folder, findings);
        const summary = summariseFindings(findings);
        await folder.writeJson("summary.json", summary);
        return { summary, lines: describeFindings(findings) };
      });
      report(json, summary, [...lines, `wrote ${out}`]);
    });
}
