/**
 * Pruning the largest cluster (section 4.3, figure 3), beside the scores by which others prune.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { listHead, loadSubsetData, trainSubsetArms } from "../shared/subsets.ts";
import { claimDebias, noteDebias } from "./claims.ts";
import { drawDebias, tabulateDebias } from "./figures.ts";
import { chooseArms } from "./measure.ts";
import { BY_DATA, PAPER, QUICK, SETTINGS } from "./settings.ts";

/** Experiment of section 4.3. */
export const debias: Experiment<typeof SETTINGS> = {
  name: "debias",
  source: "section 4.3, figure 3",
  about: "prune redundant samples and a tenth of the largest clusters, beside other scores",
  settings: SETTINGS,
  quick: QUICK,
  paper: PAPER,
  byData: BY_DATA,

  async run(run) {
    const { settings } = run;
    const data = await loadSubsetData(run);
    const { rest, clusters, arms, size } = await chooseArms(run, data);
    const results = await trainSubsetArms(run, data, arms);
    const head = listHead(clusters).length;
    return {
      metrics: {
        samples: settings.trainSize,
        notRedundant: rest.length,
        head,
        kept: size,
        results,
      },
      tables: tabulateDebias(settings, results, rest.length, size),
      figures: await drawDebias(settings, results, size),
      claims: claimDebias(settings, results, size),
      notes: noteDebias(settings, rest.length, head),
    };
  },
};
