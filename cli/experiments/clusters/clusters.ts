/**
 * Farthest-point clustering under the lpNTK, and whether samples of large clusters are easy to learn (section 3.4).
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { drawTraining } from "../shared/training.ts";
import { claimClusters, noteClusters } from "./claims.ts";
import { countSizes, divide } from "./divisions.ts";
import { drawShares, drawSizes, tabulateDivisions } from "./figures.ts";
import { averageDifficulty, clusterAll, findAccuracy, trainSeeds } from "./measure.ts";
import { BY_DATA, PAPER, QUICK, SETTINGS } from "./settings.ts";

/** Experiment of section 3.4. */
export const clusters: Experiment<typeof SETTINGS> = {
  name: "clusters",
  source: "section 3.4, algorithm 3",
  about: "farthest-point clustering, and whether samples of the largest clusters are easy",
  settings: SETTINGS,
  quick: QUICK,
  paper: PAPER,
  byData: BY_DATA,

  async run(run) {
    const { settings } = run;
    const { trainSize, validationSize, share } = settings;
    const { train: data, validation } = await drawTraining(run, trainSize, validationSize);
    const trained = await trainSeeds(run, data, validation);
    const difficulty = averageDifficulty(trained);
    const clusterings = await clusterAll(run, data, trained);
    const divisions = clusterings.map((clustering) => divide(clustering, difficulty, data, share));
    return {
      metrics: {
        validationAccuracy: trained.map(findAccuracy),
        clusterings: divisions.map((division) => {
          const { isHead: _, sizes, ...rest } = division;
          return { ...rest, clusters: sizes.length, ...countSizes(division) };
        }),
      },
      tables: [tabulateDivisions(divisions, share)],
      figures: [await drawSizes(divisions, trainSize), await drawShares(divisions, share)],
      claims: claimClusters(settings, divisions),
      notes: noteClusters(settings, trained.length),
    };
  },
};
