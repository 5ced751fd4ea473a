/**
 * Making a sample easier or harder by its company (after section 3.1): beside the same few others, a sample is learnt together with those
 * of a pool that the lpNTK calls interchangeable with it, unrelated or contradictory to it, and its difficulty is watched.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { mapKeys } from "../shared/records.ts";
import { claimControl, noteControl } from "./claims.ts";
import { ARMS, takePool } from "./companies.ts";
import { drawRatios, drawTargets, tabulateTargets } from "./figures.ts";
import { averageRelation, estimateRatio, watchTargets } from "./measure.ts";
import { QUICK, SETTINGS } from "./settings.ts";

/** Experiment of the authors' code, which the paper does not describe. */
export const control: Experiment<typeof SETTINGS> = {
  name: "control",
  source: "section 3.1; an extra of the authors' code",
  about: "make samples easier or harder by what they are learnt with",
  settings: SETTINGS,
  quick: QUICK,
  paper: {},

  async run(run) {
    const { settings } = run;
    const pool = takePool(await run.data("train"), settings);
    await run.keepIndices(pool);
    const watched = await watchTargets(run, pool);
    const ratios = mapKeys(ARMS, (arm) => estimateRatio(watched, arm));
    const relations = mapKeys(ARMS, (arm) => averageRelation(watched, arm));
    return {
      metrics: { ratios, relations },
      tables: [tabulateTargets(watched, pool, settings)],
      figures: [
        await drawRatios(ratios, watched.length, settings),
        await drawTargets(watched, settings),
      ],
      claims: claimControl(ratios, relations),
      notes: noteControl(settings),
    };
  },
};
