/**
 * Compares two reports of one adapter.
 *
 * @module
 */
import { formatRow } from "./page.ts";
import {
  identify,
  listFailedChecks,
  type Measurement,
  type Report,
  UNITS,
  WHOLE_STAGE,
} from "./report.ts";

/**
 * `slower`: even the best round of the new against the worst of the old is below the bound. `unclear`: the medians are below it, but not
 * the whole spread. `failed`: the old report has it, and it failed in the new, or a check of kernels did.
 */
export type Verdict = "ok" | "slower" | "unclear" | "failed";

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
  /** What the old report alone has, with the new report's reason where it names one. */
  readonly missing: readonly string[];
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
  const missing: string[] = [];
  for (const [name, measured] of before) {
    const now = after.get(name);
    if (now) changes.push({ name, ...compareMeasurements(measured, now, bound) });
    else {
      const { hasFailed, reason } = explainAbsence(young, measured);
      if (hasFailed) changes.push({ name: `${name} (${reason})`, verdict: "failed" });
      else missing.push(`${name}: ${reason}`);
    }
  }
  for (const failed of listFailedChecks(young)) {
    changes.push({ name: `checks: ${failed}`, verdict: "failed" });
  }
  const added = [...after.keys()].filter((name) => !before.has(name));
  return { changes, missing, added };
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
  const verdict = most < bound ? "slower" : ratio < bound ? "unclear" : "ok";
  return { ratio, least, most, verdict };
}

/** Why the new report lacks what the old one has. */
function explainAbsence(
  report: Report,
  { stage, name }: Measurement,
): { readonly hasFailed: boolean; readonly reason: string } {
  const omission = report.omissions.find((omission) =>
    omission.stage === stage &&
    (omission.name === WHOLE_STAGE || omission.name === name ||
      omission.name.startsWith(`${name}, `))
  );
  if (omission) return { hasFailed: omission.kind === "failed", reason: omission.reason };
  const { state } = report.stages[stage];
  return { hasFailed: false, reason: state === "done" ? "not measured" : `the stage is ${state}` };
}

/** A Markdown table of a comparison, and what is missing below it. */
export function formatComparison(
  { changes, missing, added }: Comparison,
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
        ratio?.toFixed(3) ?? "",
        least === undefined ? "" : `${least.toFixed(3)} to ${most!.toFixed(3)}`,
        verdict,
      ])
    ),
    "",
    ...missing.map((line) => `missing in the new: ${line}`),
    ...added.map((line) => `only in the new: ${line}`),
    `${young.adapter.name}; old: ${describe(old)}; new: ${describe(young)}`,
  ].join("\n");
}
