/**
 * Removing redundant samples (section 4.2, figure 2): under lpNTK, under pNTK, and as many at random.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { loadSubsetData, trainSubsetArms } from "../shared/subsets.ts";
import { claimRedundancy, noteRedundancy } from "./claims.ts";
import { countRedundant, drawRedundancy, tabulateRedundancy } from "./figures.ts";
import { chooseKept, listArms } from "./measure.ts";
import { BY_DATA, PAPER, QUICK, SETTINGS } from "./settings.ts";

/** Experiment of section 4.2. */
export const redundancy: Experiment<typeof SETTINGS> = {
  name: "redundancy",
  source: "section 4.2, figure 2",
  about: "train without the samples that lpNTK or pNTK calls redundant",
  settings: SETTINGS,
  quick: QUICK,
  paper: PAPER,
  byData: BY_DATA,

  async run(run) {
    const { settings } = run;
    const data = await loadSubsetData(run);
    const kept = await chooseKept(run, data);
    const results = await trainSubsetArms(run, data, listArms(settings, kept));
    const redundant = countRedundant(settings, kept);
    return {
      metrics: { redundant, results },
      tables: tabulateRedundancy(redundant, results),
      figures: await drawRedundancy(settings, results),
      claims: claimRedundancy(settings, results),
      notes: noteRedundancy(settings, kept),
    };
  },
};
