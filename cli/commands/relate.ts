/** `lpntk relate`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { type Partner, relateSamples, type Relation, type RelationCounts } from "../../mod.ts";
import { withSource } from "../inputs.ts";
import { describeSample, findPosition, type KnownSamples, printSample } from "../known_samples.ts";
import { describeChoice } from "../samples.ts";
import { parseNotNegative, parseSample, parseThreshold } from "./values.ts";
import { OutputFolder } from "../output.ts";
import { withProgress } from "../progress.ts";
import { addSourceCommand, describeSketch, formatShare, options, report } from "./shared.ts";

/** Adds the command. */
export function addRelate(program: Command): void {
  addSourceCommand(
    program,
    "relate",
    "count interchangeable, contradictory and unrelated pairs of samples",
  )
    .option(
      "--threshold <t>",
      "interchangeable if both ratios are at least t, contradictory if both are at most -t",
      parseThreshold,
      0.5,
    )
    .option("--epsilon <e>", "unrelated if both ratios are within e of 0", parseNotNegative, 0.1)
    .option(
      "--sample <sample>",
      "list the partners of a sample, by its index in the whole split or its file",
      parseSample,
    )
    .addOption(options.out("folder for summary.json, samples.npy and a table of it"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const summary = await OutputFolder.fill(
        out,
        { command: "relate", options: settings },
        (folder) =>
          withSource(settings, folder, async (source) => {
            const { kernel, count, samples, choice, origin } = source;
            const { threshold, epsilon, sample } = settings;
            const position = sample === undefined
              ? undefined
              : findPosition(sample, source.lookup, "list the partners");
            const { counts, partners } = await withProgress(
              "comparing",
              "tiles",
              (onProgress) =>
                relateSamples(kernel, { threshold, epsilon, sample: position, onProgress }),
            );
            const summary = {
              samples: count,
              choice,
              threshold,
              epsilon,
              ...counts,
              ...origin,
              ...position !== undefined &&
                { sample: describePartners(position, partners, samples) },
            };
            await folder.writeSamples(samples);
            await folder.writeJson("summary.json", summary);
            return summary;
          }),
      );
      report(json, summary, [
        ...describeChoice("samples", summary.choice),
        ...describeCounts(summary),
        ...summary.sample ? listPartners(summary.sample) : [],
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/** Lines with the count and share of each relation. */
export function describeCounts(counts: RelationCounts): string[] {
  const names: Relation[] = ["interchangeable", "contradictory", "unrelated", "between"];
  const pairs = names.reduce((sum, name) => sum + counts[name], 0);
  return names.map((name) =>
    `${name}: ${counts[name]} of ${pairs} pairs (${formatShare(counts[name] / (pairs || 1))})`
  );
}

/** Most partners of one sample that are printed for a relation; `summary.json` has all. */
const PRINTED = 10;

/** Lines with the partners of one sample by relation, the strongest first. */
function listPartners(sample: ReturnType<typeof describePartners>): string[] {
  return (["interchangeable", "contradictory"] as const).map((relation) => {
    const partners = sample[relation];
    const named = partners.slice(0, PRINTED).map(printSample).join(" ");
    const more = partners.length > PRINTED ? " ..., all in summary.json" : "";
    const count = partners.length === 0 ? "none" : `${partners.length}: ${named}${more}`;
    return `${relation} with ${printSample({ ...sample, sample: sample.index })}: ${count}`;
  });
}

/** The partners of one sample by relation, the strongest first, and how many others there are. */
function describePartners(
  position: number,
  partners: readonly Partner[],
  samples: KnownSamples,
) {
  const list = (wanted: Relation) =>
    partners.filter(({ relation }) => relation === wanted)
      .map(({ sample, similarity }) => ({ ...describeSample(samples, sample), similarity }));
  const { sample: index, ...names } = describeSample(samples, position);
  return {
    index,
    ...names,
    interchangeable: list("interchangeable"),
    contradictory: list("contradictory").reverse(),
    unrelated: list("unrelated").length,
    between: list("between").length,
  };
}
