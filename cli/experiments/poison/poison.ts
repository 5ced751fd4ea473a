/**
 * Training on a small share of the data, taken from the largest cluster or from everything (appendix E.2, figure 7).
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { countLabels } from "../shared/classes.ts";
import { loadSubsetData, trainSubsetArms } from "../shared/subsets.ts";
import { claimPoison, notePoison } from "./claims.ts";
import { drawPoison, tabulatePoison } from "./figures.ts";
import { findHead, listArms } from "./measure.ts";
import { countShares, PAPER, QUICK, SETTINGS } from "./settings.ts";

/** Experiment of appendix E.2. */
export const poison: Experiment<typeof SETTINGS> = {
  name: "poison",
  source: "appendix E.2, figure 7",
  about: "train on 1% and 5% of the data, from the largest cluster against from everything",
  settings: SETTINGS,
  quick: QUICK,
  paper: PAPER,

  async run(run) {
    const { settings } = run;
    const sizes = countShares(settings);
    const data = await loadSubsetData(run);
    const head = await findHead(run, data, Math.max(...sizes));
    const results = await trainSubsetArms(run, data, listArms(settings, sizes, head));
    const counts = countLabels(head.map((sample) => data.train.labels[sample]), data.train.classes);
    return {
      metrics: { samples: settings.trainSize, head: head.length, results },
      tables: tabulatePoison(settings, results, counts, data.train),
      figures: await drawPoison(settings, results, sizes),
      claims: claimPoison(settings, results),
      notes: notePoison(settings, counts),
    };
  },
};
