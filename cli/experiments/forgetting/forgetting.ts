/**
 * Forgetting events, predicted from the kernel before each step and counted after it (section 3.3, algorithm 2, table 1).
 *
 * @module
 */
import type { Experiment } from "../experiment.ts";
import { claimForgetting, noteForgetting } from "./claims.ts";
import { drawEvents, drawScores, tabulateIterations, tabulateScores } from "./figures.ts";
import { PREDICTORS, watchIterations } from "./measure.ts";
import { scorePredictor } from "./scores.ts";
import { BY_DATA, checkSettings, PAPER, QUICK, SETTINGS } from "./settings.ts";

/** Experiment of section 3.3. */
export const forgetting: Experiment<typeof SETTINGS> = {
  name: "forgetting",
  source: "section 3.3, algorithm 2, table 1",
  about: "forgetting events, predicted from the kernel and counted",
  settings: SETTINGS,
  quick: QUICK,
  paper: PAPER,
  byData: BY_DATA,

  async run(run) {
    const { settings } = run;
    checkSettings(settings);
    const data = await run.data("train", { trainSize: settings.trainSize });
    const found = await watchIterations(run, data);
    const failure = describeFailure(found[0].accuracy, data.classes);
    if (failure !== undefined) run.exclude("the network", failure);
    const outcomes = PREDICTORS.map((predictor) => scorePredictor(predictor, found));
    return {
      metrics: {
        events: outcomes[0].happened,
        accuracy: found.map(({ accuracy }) => accuracy),
        outcomes,
      },
      tables: [tabulateScores(outcomes), tabulateIterations(found)],
      figures: [await drawScores(outcomes), await drawEvents(found)],
      claims: claimForgetting(settings, outcomes, failure),
      notes: noteForgetting(settings, outcomes),
    };
  },
};

/** Reason why nothing can be claimed of a network that is at chance when first watched; undefined for one that is not. */
function describeFailure(accuracy: number, classes: number): string | undefined {
  if (accuracy > 1.5 / classes) return undefined;
  return `accuracy ${accuracy.toFixed(3)} before the first iteration, chance is ${1 / classes}`;
}
