/**
 * Two samples with one image (appendix D.1): with one label the later one is learnt already when its turn comes; with two labels of two
 * classes each undoes what the other did.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { averageLast, claimExtreme, NOTES } from "./claims.ts";
import { drawLosses, tabulatePairs } from "./figures.ts";
import { learnCases, sumLosses } from "./measure.ts";
import { QUICK, SETTINGS } from "./settings.ts";

/** Experiment of appendix D.1. */
export const extreme: Experiment<typeof SETTINGS> = {
  name: "extreme",
  source: "appendix D.1",
  about: "two samples of one image: with one label, and with two",
  settings: SETTINGS,
  quick: QUICK,
  paper: {},

  async run(run) {
    const data = await run.data("train", { images: run.settings.images });
    const pairs = await learnCases(run, data);
    const [same, different] = [pairs["same label"], pairs["different labels"]];
    return {
      metrics: {
        difficulties: { same: sumLosses(same), different: sumLosses(different) },
        lastLosses: averageLast(different),
        pairs,
      },
      tables: [tabulatePairs(pairs)],
      figures: [await drawLosses(pairs)],
      claims: claimExtreme(pairs),
      notes: NOTES,
    };
  },
};
