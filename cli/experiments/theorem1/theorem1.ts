/**
 * How far a scalar kernel times the identity is from the eNTK as networks grow wider (theorem 1, section 2.3, appendix B).
 *
 * Where equation 10 puts `g(x).g(x')`, its own sum over the classes puts `(s(y).s(y') / K) g(x).g(x')`. The factor is 1 for two samples of
 * one label, as for pNTK, and `(K - 4) / K` for two labels, whose relative distance therefore tends to `4 / K` and not to 0.
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { claimTheorem, noteTheorem } from "./claims.ts";
import { drawGrowths, tabulateDistances, tabulateSlopes } from "./figures.ts";
import { fitFloors, fitSlopes } from "./fits.ts";
import { chooseSamples, measureWidths } from "./measure.ts";
import { checkSettings, QUICK, SETTINGS } from "./settings.ts";

/** Experiment on theorem 1. */
export const theorem1: Experiment<typeof SETTINGS> = {
  name: "theorem1",
  source: "section 2.3, appendix B",
  about: "the distance between lpNTK times the identity and the eNTK, as networks grow wider",
  settings: SETTINGS,
  quick: QUICK,
  paper: {},

  async run(run) {
    const { settings } = run;
    checkSettings(settings);
    const data = await chooseSamples(run);
    const sightings = await measureWidths(run, data);
    const fitted = sightings.filter(({ width }) => width >= settings.fitFrom);
    const [slopes, floors] = [fitSlopes(fitted), fitFloors(fitted)];
    return {
      metrics: { slopes, floors, sightings },
      tables: [
        tabulateSlopes(slopes, fitSlopes(sightings), settings.fitFrom),
        tabulateDistances(sightings),
      ],
      figures: await drawGrowths(sightings, data.classes),
      claims: claimTheorem(slopes, floors, data.classes),
      notes: noteTheorem(settings, data.labels.length),
    };
  },
};
