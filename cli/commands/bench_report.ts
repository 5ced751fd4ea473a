/** `lpntk bench --report` and `--baseline`. @module */

import { InvalidArgumentError, Option } from "npm:@commander-js/extra-typings@15.1.0";
import type { Comparison } from "../../bench/adapter/compare.ts";
import type { Report } from "../../bench/adapter/report.ts";
import { Lease } from "../../engine/files/lease.ts";
import { useAdapter } from "../adapter.ts";
import { onInterrupt } from "../interruption.ts";
import { say } from "../print.ts";
import { withProgress } from "../progress.ts";
import { refuseFailed } from "../self_test/checks.ts";
import { testKernels } from "../self_test/self_test.ts";
import { UsageError } from "../usage.ts";
import { report } from "./shared.ts";
import { parsePath, parsePositive, parseRatio } from "./values.ts";

/** Minutes of a report where nobody says. */
const MINUTES = 5;

/** Options of reports, fresh ones each time. */
export const reportOptions = {
  report: () =>
    new Option(
      "--report <name>",
      "measure this adapter, the most decisive first, into <name>.json and <name>.md",
    ).conflicts("quick").argParser(parseName),
  minutes: () =>
    new Option(
      "--minutes <n>",
      `what --report may take (default: ${MINUTES})`,
    )
      .argParser(parsePositive),
  force: () =>
    new Option("--force", "let --report replace an earlier report, once the new one has ended"),
  baseline: () =>
    new Option(
      "--baseline <file>",
      "compare a report with this earlier one: <new.json>, or what --report measures now",
    ).conflicts("quick").argParser(parsePath),
  failBelow: () =>
    new Option(
      "--fail-below <ratio>",
      "exit with 1 where the new is slower than this ratio of the old's speed, fails, is missing or has not ended",
    ).argParser(parseRatio),
};

/** What follows the options' help. */
export const REPORT_HELP = `
A report is valid however it is cut: what has been measured stands in it, and
what has not is named. Under --force the earlier report stays until the new one has
ended with a measurement at least; until then, and where it is cut, the new one is
<name>.new.json and <name>.new.md. A report without any measurement exits with 1.

Sizes adapt to the adapter and the minutes: each stage has a share of them, and what
does not fit it is measured smaller or left out, by name. What a wait, a launch, a
multiply-add and a copy cost is measured whole once it has begun within the minutes.
When they are over, the checks of doctor and a measurement that has begun are still
ended.

--baseline compares what both reports measured at the same size: the speed of the
new divided by that of the old, by their medians, and from the new's worst round
against the old's best to the new's best against the old's worst. A line is
slower where all of that is below --fail-below, or the median below half of it, and
unclear where the median is below it otherwise. What the old report has and what
failed in the new one fails, and so does a check of its kernels. Missing is what the
old report has and the new one neither has nor left out with a reason, a stage that
has not ended, and checks that were not made. --fail-below exits with 1 where
anything is slower, failed or missing, and where the new report left out more of the
old one's measurements, for want of time or memory, than it has. What the new one
left out, and what it alone has, is listed.

Reports of two adapters, or with nothing in common, are refused with exit code 2.`;

/** The options' values. */
export interface ReportFlags {
  readonly report?: string;
  readonly minutes?: number;
  readonly force?: true;
  readonly baseline?: string;
  readonly failBelow?: number;
  readonly json?: true;
}

/** Finds the first flag of a call that is about reports; undefined where none is. */
export function findReportFlag(flags: ReportFlags): string | undefined {
  const { report, minutes, force, baseline, failBelow } = flags;
  const values = {
    "--report": report,
    "--minutes": minutes,
    "--force": force,
    "--baseline": baseline,
    "--fail-below": failBelow,
  };
  return Object.entries(values).find(([, value]) => value !== undefined)?.[0];
}

/** Makes a report, or compares two, or both. */
export async function runReport(
  given: readonly string[],
  flags: ReportFlags & { readonly version: string },
): Promise<void> {
  const path = checkCall(given, flags);
  const { baseline, failBelow, json, report: name } = flags;
  const { listFailedChecks, readReport } = await import("../../bench/adapter/report.ts");
  if (name !== undefined && baseline !== undefined) {
    const { refuseOwnBaseline } = await import("../../bench/adapter/files.ts");
    await refuseOwnBaseline(name, baseline);
  }
  const old = baseline === undefined ? undefined : await readReport(baseline);
  const young = path === undefined ? await makeReport(name!, flags, old) : await readReport(path);
  if (old) {
    const { compareReports, formatComparison } = await import("../../bench/adapter/compare.ts");
    const comparison = compareReports(old, young, failBelow ?? 0);
    report(json, comparison, [formatComparison(comparison, old, young)]);
    if (failBelow !== undefined) refuseSlower(comparison, failBelow);
    return;
  }
  const { measurements, omissions } = young;
  report(json, young, [
    `${measurements.length} measurements, ${omissions.length} left out or smaller than meant`,
    `wrote ${name}.json and ${name}.md`,
  ]);
  refuseFailed(listFailedChecks(young));
}

/** The second report's path, if it is not to be made. */
function checkCall(given: readonly string[], flags: ReportFlags): string | undefined {
  const { report: name, minutes, force, baseline, failBelow } = flags;
  const refuse = (got: string, need: string) => {
    throw new UsageError(`Cannot bench: got ${got}, need ${need}`);
  };
  if (name === undefined && (minutes ?? force) !== undefined) {
    refuse(
      minutes === undefined ? "--force alone" : "--minutes alone",
      "--report <name> beside it",
    );
  }
  if (baseline === undefined && failBelow !== undefined) {
    refuse("--fail-below alone", "--baseline <file> beside it");
  }
  if (name !== undefined && given.length > 0) refuse(`--report beside ${given[0]}`, "one of them");
  if (name !== undefined) return undefined;
  if (given.length !== 1) {
    refuse(`--baseline and ${given.length} other reports`, "one, or --report <name> to make it");
  }
  return given[0];
}

async function makeReport(
  name: string,
  { minutes = MINUTES, force, version }: ReportFlags & { readonly version: string },
  baseline: Report | undefined,
): Promise<Report> {
  const [{ measureAdapter }, { FULL_SIZES }, files] = await Promise.all([
    import("../../bench/adapter/measure_adapter.ts"),
    import("../../bench/adapter/stage.ts"),
    import("../../bench/adapter/files.ts"),
  ]);
  using lease = await Lease.take(`${name}.json.lock`, `${name}.json`);
  using _listening = onInterrupt(() => lease.release());
  const draft = await files.chooseDraft(name, force === true);
  if (draft !== name) {
    say(
      `${name}.json is replaced when the new report has ended, which is ${draft}.json until then`,
    );
  }
  const young = await withProgress("report", "stages", (onProgress) =>
    measureAdapter({
      version,
      minutes,
      baseline,
      sizes: FULL_SIZES,
      use: useAdapter,
      check: testKernels,
      keep: async (report) => {
        lease.check();
        await files.writeReport(draft, report);
      },
      onProgress,
    }));
  lease.check();
  await files.settleReport({ name, draft }, young);
  return young;
}

/** @throws {Error} which names what is slower, has failed or is missing, or says that too little was compared. */
function refuseSlower({ changes, omitted }: Comparison, bound: number): void {
  const compared = changes.filter(({ ratio }) => ratio !== undefined).length;
  if (omitted.length > compared) {
    throw new Error(
      `Cannot accept the new report: got ${compared} of the old report's measurements and ${omitted.length} left out, need at least half of them; give it more --minutes`,
    );
  }
  const bad = changes.filter(({ verdict }) => verdict !== "ok" && verdict !== "unclear");
  if (bad.length === 0) return;
  const names = bad.slice(0, 3).map(({ name, verdict }) => `${name}: ${verdict}`).join("; ");
  const rest = bad.length > 3 ? `; and ${bad.length - 3} more` : "";
  throw new Error(
    `Cannot accept the new report: got ${bad.length} of ${changes.length} slower, failed or missing (${names}${rest}), need all there, at ${bound} of the old within their spread`,
  );
}

/** A path without an ending. */
function parseName(text: string): string {
  if (/[^/\\]$/.test(text) && !/\.(json|md)$/.test(text)) return text;
  throw new InvalidArgumentError(
    `Got '${text}', need a name without an ending, to which .json and .md are added.`,
  );
}
