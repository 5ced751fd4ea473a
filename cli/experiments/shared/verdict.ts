/**
 * Rules by which 'agrees', 'differs' and 'not comparable at this size' are decided, and whose words go into the report.
 *
 * @module
 */
import type { Estimate } from "../../report/statistics.ts";
import type { Claim, Verdict } from "../experiment.ts";

/** A statement of the paper that has a direction and no number, such as `rho falls as subsets shrink`. */
export interface DirectionClaim {
  readonly what: string;
  /** Statement in the paper's words. */
  readonly paper: string;
  /** Result found here. */
  readonly ours: string;
  /** Condition of agreement, in words, for example `rho at X = 1 is below rho at X = 1000`. */
  readonly need: string;
  /** Whether the condition holds. */
  readonly holds: boolean;
  /** Reason why this run cannot tell, in words, for example `12 events, need 500`; undefined if it can. */
  readonly unable?: string;
}

/** Judges a direction: comparable at any size, unless the run itself cannot tell. */
export function claimDirection(
  { what, paper, ours, need, holds, unable }: DirectionClaim,
): Claim {
  const rule = `a direction, comparable at any size: agrees if ${need}`;
  if (unable !== undefined) {
    return { what, paper, ours, verdict: INCOMPARABLE, rule: `${rule}; here: ${unable}` };
  }
  return { what, paper, ours, verdict: decide(holds), rule };
}

/** A statement that some number lies above or below another, such as `the difference lies above 0`. */
export interface SideClaim extends Pick<DirectionClaim, "what" | "paper" | "ours" | "unable"> {
  readonly estimate: Estimate;
  /** Kind of the estimate's interval, for example `95% interval of the difference over seeds`. */
  readonly interval: string;
  readonly side: "above" | "below";
  readonly bound: number;
  /** Name of the bound. Default: the number itself. */
  readonly boundName?: string;
}

/** Judges a side by the interval: comparable at any size, unless the bound lies within the interval, or there is none. */
export function claimSide(
  { estimate: { low, high }, interval, side, bound, boundName = `${bound}`, unable, ...claim }:
    SideClaim,
): Claim {
  const undecided = low === null || high === null
    ? "too few values for an interval"
    : low <= bound && bound <= high
    ? `${boundName} lies within it`
    : undefined;
  return claimDirection({
    ...claim,
    need: `the ${interval} lies ${side} ${boundName}, differs if it lies on the other side`,
    holds: side === "above" ? low! > bound : high! < bound,
    unable: unable ?? undecided,
  });
}

/** A number of the paper. */
export interface NumberClaim {
  readonly what: string;
  /** The paper's number. */
  readonly paper: number;
  /** Our number, NaN where there is none, or our interval and what it is, for example `95% interval over 10 seeds`. */
  readonly ours:
    | { readonly value: number; readonly tolerance: number; readonly reason: string }
    | {
      readonly value: number;
      readonly low: number;
      readonly high: number;
      readonly interval: string;
    };
  /** Settings that are not the paper's, as {@linkcode listDifferences} gives them: one is enough to make the numbers incomparable. */
  readonly differences: readonly string[];
  /** Digits after the point, default 3. */
  readonly digits?: number;
}

/** Judges a number: comparable where the sizes are the paper's; then it agrees if the paper's lies within our interval, or within the tolerance. */
export function claimNumber(
  { what, paper, ours, differences, digits = 3 }: NumberClaim,
): Claim {
  const format = (value: number) => Number.isNaN(value) ? "none" : value.toFixed(digits);
  const [low, high, text, range] = "tolerance" in ours
    ? [
      ours.value - ours.tolerance,
      ours.value + ours.tolerance,
      format(ours.value),
      `within ${ours.tolerance} of ours (${ours.reason})`,
    ]
    : [
      ours.low,
      ours.high,
      `${format(ours.value)} [${format(ours.low)}, ${format(ours.high)}]`,
      `within our ${ours.interval}`,
    ];
  const rule =
    `a number, comparable at the paper's setting: agrees if the paper's value lies ${range}`;
  const claim = { what, paper: format(paper), ours: text };
  if (differences.length > 0) {
    return { ...claim, verdict: INCOMPARABLE, rule: `${rule}; here: ${differences.join(", ")}` };
  }
  return { ...claim, verdict: decide(paper >= low && paper <= high), rule };
}

/**
 * Settings that differ from the paper's, for example `samples 400 instead of 2000`.
 *
 * @param paper the paper's settings; those that it leaves open are left out
 */
export function listDifferences(
  settings: Readonly<Record<string, unknown>>,
  paper: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(paper)
    .filter(([key, value]) => JSON.stringify(settings[key]) !== JSON.stringify(value))
    .map(([key, value]) => `${key} ${show(settings[key])} instead of ${show(value)}`);
}

const INCOMPARABLE: Verdict = "not comparable at this size";

function decide(holds: boolean): Verdict {
  return holds ? "agrees" : "differs";
}

function show(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
