/**
 * Compares two reports of one adapter.
 *
 * @module
 */
import { formatRow } from "./page.ts";
import {
  identify,
  listFailedChecks,
  listUnfinished,
  type Measurement,
  type Report,
  UNITS,
  WHOLE_STAGE,
} from "./report.ts";

/**
 * `slower`: even the best round of the new against the worst of the old is below the bound, or the medians are below half of it. `unclear`:
 * the medians are below it, but neither of these. `failed`: the old report has it, and it failed in the new, or a check of kernels did.
 * `missing`: the old report has it, and the new neither has it nor says why; or a stage has not ended, or checks of kernels are missing.
 */
export type Verdict = "ok" | "slower" | "unclear" | "failed" | "missing";

/** Share of the bound below which the ratio of medians decides alone: one good round does not hide a median that has halved. */
const CLEAR_SHARE = 0.5;

/** How one measurement changed. */
export interface Change {
  readonly name: string;
  /** Speed of the new divided by that of the old, above 1 where the new is faster; of a failure nothing. */
  readonly ratio?: number;
  /** The new's worst round against the old's best. */
  readonly least?: number;
  /** The new's best round against the old's worst. */
  readonly most?: number;
  readonly verdict: Verdict;
}

/** What a comparison found. */
export interface Comparison {
  readonly changes: readonly Change[];
  /** What the old report has and the new left out for want of time or memory, with its reason. */
  readonly omitted: readonly string[];
  /** What the new report alone has. */
  readonly added: readonly string[];
}

/**
 * Refuses a report of another adapter.
 *
 * @throws {RangeError} which names both.
 */
export function refuseOtherAdapter(
  old: Pick<Report, "adapter">,
  young: Pick<Report, "adapter">,
): void {
  const place = ({ adapter: { name, backend } }: Pick<Report, "adapter">) => `${name} (${backend})`;
  if (place(old) === place(young)) return;
  throw new RangeError(
    `Cannot compare reports: got one of ${place(old)} and one of ${
      place(young)
    }, need two of one adapter`,
  );
}

/**
 * Compares every measurement that both reports have at the same size.
 *
 * @param bound ratio of speeds below which the new is slower
 * @throws {RangeError} if they are of two adapters, or have measured nothing in common.
 */
export function compareReports(old: Report, young: Report, bound: number): Comparison {
  refuseOtherAdapter(old, young);
  const find = (report: Report) =>
    new Map(report.measurements.map((measurement) => [identify(measurement), measurement]));
  const [before, after] = [find(old), find(young)];
  if (![...before.keys()].some((name) => after.has(name))) {
    throw new RangeError(
      "Cannot compare reports: got two that measured nothing in common, need one thing at least; give them more --minutes",
    );
  }
  const changes: Change[] = [];
  const omitted: string[] = [];
  for (const [name, measured] of before) {
    const now = after.get(name);
    if (now?.unit === measured.unit) {
      changes.push({ name, ...compareMeasurements(measured, now, bound) });
      continue;
    }
    const { verdict, reason } = explainAbsence(young, measured, now);
    if (verdict) changes.push({ name: `${name} (${reason})`, verdict });
    else omitted.push(`${name}: ${reason}`);
  }
  for (const stage of listUnfinished(young)) {
    const name = `${stage} (the stage is ${young.stages[stage].state})`;
    changes.push({ name, verdict: "missing" });
  }
  const needed = Math.max(1, old.checks.length);
  if (young.checks.length < needed && listFailedChecks(young).length === 0) {
    const name = `checks (${young.checks.length} of ${needed})`;
    changes.push({ name, verdict: "missing" });
  }
  for (const failed of listFailedChecks(young)) {
    changes.push({ name: `checks: ${failed}`, verdict: "failed" });
  }
  const added = [...after.keys()].filter((name) => !before.has(name));
  return { changes, omitted, added };
}

/** The ratio of two measurements of the same, its spread, and what follows from it. */
export function compareMeasurements(
  old: Pick<Measurement, "unit" | "median" | "least" | "most">,
  young: Pick<Measurement, "median" | "least" | "most">,
  bound: number,
): Omit<Change, "name"> {
  const { isRate } = UNITS[old.unit];
  const [ratio, least, most] = isRate
    ? [young.median / old.median, young.least / old.most, young.most / old.least]
    : [old.median / young.median, old.least / young.most, old.most / young.least];
  const isSlower = most < bound || ratio < CLEAR_SHARE * bound;
  const verdict = isSlower ? "slower" : ratio < bound ? "unclear" : "ok";
  return { ratio, least, most, verdict };
}

/** Why the new report lacks what the old one has; without a verdict where it says so itself. `other` is the same in another unit. */
function explainAbsence(
  report: Report,
  { stage, name }: Measurement,
  other: Measurement | undefined,
): { readonly verdict?: Verdict; readonly reason: string } {
  const omission = report.omissions.find((omission) =>
    omission.stage === stage &&
    (omission.name === WHOLE_STAGE || omission.name === name ||
      omission.name.startsWith(`${name}, `))
  );
  if (omission) {
    const { kind, reason } = omission;
    return kind === "failed" ? { verdict: "failed", reason } : { reason };
  }
  const { state } = report.stages[stage];
  const reason = other ? `measured in ${other.unit}` : "not measured";
  return { verdict: "missing", reason: state === "done" ? reason : `the stage is ${state}` };
}

/** `0.850` */
function showRatio(ratio: number): string {
  return ratio.toLocaleString("en", { minimumFractionDigits: 3, maximumFractionDigits: 3 });
}

/** A Markdown table of a comparison, and what is missing below it. */
export function formatComparison(
  { changes, omitted, added }: Comparison,
  old: Report,
  young: Report,
): string {
  const describe = ({ lpntk, commit, date, deno }: Report) =>
    `lpntk ${lpntk}, commit ${commit}, Deno ${deno}, ${date}`;
  return [
    "| what | speed, new / old | from worst to best | |",
    "| --- | --: | --: | --- |",
    ...changes.map(({ name, ratio, least, most, verdict }) =>
      formatRow([
        name,
        ratio === undefined ? "" : showRatio(ratio),
        least === undefined ? "" : `${showRatio(least)} to ${showRatio(most!)}`,
        verdict,
      ])
    ),
    "",
    ...omitted.map((line) => `left out of the new: ${line}`),
    ...added.map((line) => `only in the new: ${line}`),
    `${young.adapter.name}; old: ${describe(old)}; new: ${describe(young)}`,
  ].join("\n");
}
