/**
 * Verification: whether networks that learn the cleaned samples do better than those that learn the data as given, or without as many at random.
 *
 * @module
 */
import { type Dataset, type Engine, keepRandom } from "../../mod.ts";
import {
  type ArmResult,
  type ArmSummary,
  describeArms,
  listFinalAccuracies,
  summariseArms,
  trainArms,
} from "../comparison.ts";
import { withProgress } from "../progress.ts";
import { estimateDifference, formatInterval } from "../report/intervals.ts";
import type { Estimate } from "../report/statistics.ts";
import { describeChoice, type SampleChoice, type Samples } from "../samples.ts";
import { formatCount } from "../units.ts";
import type { Judge } from "./judge.ts";
import { compareWithLargestClass, type LargestClass, writePercents } from "./largest_class.ts";

/** Networks of each arm. */
const SEEDS = 5;

/** Samples that cleaning is verified with. */
export interface VerificationSets {
  readonly train: Dataset;
  /** Positions of the training samples that are left once it is cleaned. */
  readonly keep: Int32Array;
  readonly test: Samples;
  /** Number of test samples whose own labels look wrong, where they were held out from the samples that were judged. */
  readonly suspectsInTest?: number;
}

/** Answer to whether cleaning raises the accuracy. */
export type Verdict = "helped" | "hurt" | "undecided";

/** A verdict on the cleaned samples beside others, and the 95 % interval that it follows from; undecided where networks have learnt nothing. */
export interface Difference {
  readonly verdict: Verdict;
  /** Mean test accuracy of the cleaned samples minus that of the others, from -1 to 1. */
  readonly accuracy: Estimate;
}

/** What verification found; where no arm is right more often than one who always names the largest class of the test samples, nothing is decided. */
export interface Verification extends LargestClass {
  readonly seeds: number;
  /** Which samples it was tested on. */
  readonly test: SampleChoice;
  readonly suspectsInTest?: number;
  readonly arms: readonly ArmSummary[];
  readonly againstGiven: Difference;
  readonly againstRandom: Difference;
}

/**
 * Trains networks on the cleaned samples, on those as given, and on as many as the cleaned ones drawn at random, and compares their test accuracy by
 * Student's t-test.
 */
export async function verify(
  engine: Engine,
  { definition, training }: Judge,
  { train, keep, test, suspectsInTest }: VerificationSets,
): Promise<{ readonly verification: Verification; readonly results: readonly ArmResult[] }> {
  const choices = [
    { name: "cleaned", keep: () => keep },
    { name: "given" },
    { name: "random", keep: (seed: number) => keepRandom(train.labels.length, keep.length, seed) },
  ];
  const results = await withProgress(
    "verifying",
    "images",
    (onProgress) =>
      trainArms(
        engine,
        choices,
        { definition, train, test: test.data, training, seeds: SEEDS },
        onProgress,
      ),
  );
  const [cleaned, given, random] = results.map(listFinalAccuracies);
  const arms = summariseArms(results);
  const best = Math.max(...arms.map(({ meanAccuracy }) => meanAccuracy!));
  const baseline = compareWithLargestClass(best, test.data);
  const decide = (others: number[]) => decideBy(estimateDifference(cleaned, others), baseline);
  const verification = {
    seeds: SEEDS,
    test: test.choice,
    suspectsInTest,
    ...baseline,
    arms,
    againstGiven: decide(given),
    againstRandom: decide(random),
  };
  return { verification, results };
}

/** Decides by an interval, unless the networks have learnt nothing. */
export function decideBy(
  accuracy: Estimate,
  { isBeaten }: Pick<LargestClass, "isBeaten">,
): Difference {
  const { low, high } = accuracy;
  const isDecided = isBeaten && low !== null && high !== null && (low > 0 || high < 0);
  return { verdict: !isDecided ? "undecided" : low > 0 ? "helped" : "hurt", accuracy };
}

/** Says whether cleaning helped, in a line for each comparison, each with its own verdict. */
export function describeVerdicts(
  { againstGiven, againstRandom, largestClass, isBeaten }: Verification,
): string[] {
  const points = ({ value, low, high }: Estimate) => {
    const times = (share: number | null) => share === null ? null : 100 * share;
    return formatInterval({ value: 100 * value, low: times(low), high: times(high) }, 2);
  };
  const said: Record<Verdict, string> = {
    helped: "cleaning helped",
    hurt: "cleaning hurt",
    undecided: "undecided",
  };
  const say = ({ verdict, accuracy }: Difference, others: string) =>
    `${said[verdict]} against ${others}: ${points(accuracy)} percentage points of accuracy`;
  return [
    ...isBeaten ? [] : [
      `undecided: the networks barely beat naming the largest class, which is right of ${
        writePercents(largestClass)
      } of the test samples`,
    ],
    say(againstGiven, "the data as given"),
    say(againstRandom, "as many removed at random"),
  ];
}

/** Lines for people: the arms, and whether cleaning helped. */
export function describeVerification(verification: Verification): string[] {
  const { arms, seeds, test, suspectsInTest } = verification;
  return [
    ...describeChoice("test samples", test),
    ...suspectsInTest === undefined
      ? []
      : [`labels of test samples that look wrong themselves: ${formatCount(suspectsInTest)}`],
    `accuracy on ${
      formatCount(test.size)
    } test samples, mean ± standard deviation over ${seeds} seeds:`,
    ...describeArms(arms),
    ...describeVerdicts(verification),
  ];
}
