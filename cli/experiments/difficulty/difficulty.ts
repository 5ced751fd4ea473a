/**
 * Learning difficulty on the whole set and on subsets of it (section 3.2, algorithm 1, figure 1): the fewer samples a model sees, the less their
 * difficulties correlate with those on the whole set.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { claimDifficulty, NOTES } from "./claims.ts";
import { compareDifficulties, type Comparison } from "./comparisons.ts";
import { drawDifficulties, drawRho, tabulateDifficulties, tabulateRho } from "./figures.ts";
import { chooseSamples, measureSubsets, measureWhole } from "./measure.ts";
import { checkSizes, QUICK, SETTINGS } from "./settings.ts";

/** Experiment of section 3.2. */
export const difficulty: Experiment<typeof SETTINGS> = {
  name: "difficulty",
  source: "section 3.2, algorithm 1, figure 1",
  about: "learning difficulty on the whole set against that on subsets of falling size",
  settings: SETTINGS,
  quick: QUICK,
  paper: {},

  async run(run) {
    const samples = await chooseSamples(run);
    const { labels } = samples;
    checkSizes(run.settings, labels.length);
    const whole = await measureWhole(run, samples);
    const comparisons: Comparison[] = [];
    // the largest first, which is the nearest to the whole set
    for (const size of run.settings.subsetSizes.toSorted((a, b) => b - a)) {
      const difficulties = await measureSubsets(run, samples, size);
      comparisons.push({ size, difficulties, ...compareDifficulties(whole, difficulties, labels) });
    }
    return {
      metrics: {
        samples: labels.length,
        rho: comparisons.map(({ size, rho, rhoWithinClasses }) => ({
          size,
          ...rho,
          withinClasses: rhoWithinClasses,
        })),
        wholeDifficulty: whole,
      },
      tables: [
        tabulateRho(comparisons, labels.length),
        tabulateDifficulties(samples, whole, comparisons),
      ],
      figures: [
        await drawDifficulties(samples, whole, comparisons),
        await drawRho(comparisons),
      ],
      claims: claimDifficulty(comparisons),
      notes: NOTES,
    };
  },
};
