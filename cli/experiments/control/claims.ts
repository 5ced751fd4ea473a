/**
 * Claims of `control` with their rules, and notes for the reader.
 *
 * @module
 */
import { formatInterval } from "../../report/intervals.ts";
import type { Estimate } from "../../report/statistics.ts";
import type { Claim } from "../experiment.ts";
import { claimDirection, claimSide } from "../shared/verdict.ts";
import type { Arm } from "./companies.ts";
import type { Settings } from "./settings.ts";

/** Interval and bound by which ratios of difficulties are judged. */
const JUDGED = { interval: "95% interval of the ratio over targets", bound: 1 } as const;

/**
 * Claims about the three relations.
 *
 * @param ratios difficulty relative to that with random samples
 * @param relations mean relation to the targets
 */
export function claimControl(
  ratios: Readonly<Record<Arm, Estimate>>,
  relations: Readonly<Record<Arm, number>>,
): Claim[] {
  const { interchangeable, unrelated, contradictory } = ratios;
  const ours = (arm: Arm) =>
    `${formatInterval(ratios[arm])} times as hard as with random samples; mean relation ${
      relations[arm].toFixed(2)
    }`;
  return [
    claimSide({
      what: "interchangeable samples make a sample easier",
      paper: "an update on one makes predictions on the other more accurate",
      ours: ours("interchangeable"),
      ...JUDGED,
      estimate: interchangeable,
      side: "below",
    }),
    claimSide({
      what: "contradictory samples make a sample harder",
      paper: "an update on one makes predictions on the other worse",
      ours: ours("contradictory"),
      ...JUDGED,
      estimate: contradictory,
      side: "above",
      unable: relations.contradictory < 0 ? undefined : "the pool holds no contradictory samples",
    }),
    claimDirection({
      what: "unrelated samples lie between the two",
      paper: "an update on one does not modify predictions on the other",
      ours: ours("unrelated"),
      need: "the ratio lies between the other two",
      holds: interchangeable.value < unrelated.value && unrelated.value < contradictory.value,
    }),
  ];
}

/** Notes for the reader. */
export function noteControl({ kernelEpochs }: Settings): string[] {
  return [
    "The paper describes no such experiment; the claims are its definitions of the three relations, put to the test.",
    "All training sets of a target are equally large and share their base; targets and base are drawn at random, and what is added never comes from them.",
    `The relation is kappa(x, x') over the larger self-similarity, under a network trained for ${kernelEpochs} epochs on the pool; the networks that are watched are others.`,
    "Equation 2's sign vectors let samples of two labels contradict each other most with two classes: their product is C for equal labels and C - 4 for different ones, negative only below 4 classes. With ten classes of MNIST the pool holds hardly any contradictory sample.",
  ];
}
