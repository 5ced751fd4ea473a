/**
 * An adapter's report as a page.
 *
 * @module
 */
import {
  formatShape,
  listUnfinished,
  type Measurement,
  type Omission,
  type Report,
  STAGES,
} from "./report.ts";

/** How a page begins; a file that does not is somebody else's. */
export const PAGE_MARK = "<!-- written by lpntk bench --report -->";

/** What each stage measures. */
const TITLES: Readonly<Record<typeof STAGES[number], string>> = {
  checks: "Kernels against float64",
  overheads: "A wait and a launch",
  ceilings: "What the adapter reaches at all",
  gram: "Gram tiles of rows with themselves",
  clustering: "Farthest-point clustering, bytes of rows read",
  reading: "Reading back",
  lenet5: "LeNet-5 on digits",
  mlp: "The MLP on digits",
  lenet_large: "The large LeNet on digits",
};

/** Limits of what computes; the others stand in the JSON. */
const LIMITS = /^max(Buffer|Compute|StorageBuffer)/;

/** Markdown. */
export function formatPage(report: Report): string {
  const unfinished = listUnfinished(report);
  return [
    PAGE_MARK,
    "",
    `# lpntk on ${escape(report.adapter.name)}`,
    "",
    ...unfinished.length > 0
      ? [
        `**Cut short.** Not ended: ${
          unfinished.map((name) => `${TITLES[name]} (${report.stages[name].state})`)
            .join("; ")
        }.`,
        "",
      ]
      : [],
    ...describeOrigin(report),
    ...STAGES.flatMap((stage) => formatStage(report, stage)),
    "## Left out",
    "",
    ...formatOmissions(report),
    "",
    "Medians of some rounds, from the least to the most. Each time includes the wait for the device. " +
    "First: milliseconds of the first computation, at the smallest size, compilation included.",
    "",
  ].join("\n");
}

function describeOrigin(report: Report): string[] {
  const { adapter, host, lpntk, commit, deno, date, minutes, variant, limits, features } = report;
  const [fewest, most] = adapter.subgroupSizes;
  const lines = [
    [
      "adapter",
      `${adapter.name}${adapter.isCpu ? ", a CPU adapter" : ""}, vendor ${adapter.vendor}`,
    ],
    ["backend", adapter.backend],
    ["subgroups", fewest === 0 ? "not told" : `${fewest} to ${most}`],
    ["host", `${host.os}, ${host.architecture}, ${host.cpus} CPUs`],
    ["software", `lpntk ${lpntk}, commit ${commit}; Deno ${deno}`],
    ["taken", `${date}, in ${formatMinutes(minutes)} at most`],
    ["Gram kernel that the engine chose", variant ?? "not known yet"],
    ["features", features.join(" ")],
    [
      "limits",
      formatShape(
        Object.fromEntries(Object.entries(limits).filter(([name]) => LIMITS.test(name))),
      ),
    ],
  ];
  return ["| | |", "| --- | --- |", ...lines.map((cells) => formatRow(cells)), ""];
}

function formatStage(report: Report, stage: typeof STAGES[number]): string[] {
  const measured = report.measurements.filter((measurement) => measurement.stage === stage);
  const { state, seconds } = report.stages[stage];
  if (stage === "checks") {
    if (report.checks.length === 0) return [];
    const failed = report.checks.filter(({ passed }) => !passed);
    return [
      `## ${TITLES.checks}`,
      "",
      failed.length === 0
        ? `All ${report.checks.length} checks passed.`
        : `**${failed.length} of ${report.checks.length} checks failed**, so that no figure below counts: ${
          failed.map(({ kernels, error }) => `${kernels} (error ${error ?? "NaN"})`).join("; ")
        }.`,
      "",
    ];
  }
  if (measured.length === 0) return [];
  return [
    `## ${TITLES[stage]}`,
    "",
    "| what | size | median | least to most | rounds | of the ceiling | first, ms |",
    "| --- | --- | --: | --: | --: | --: | --: |",
    ...measured.map((measurement) => formatMeasurement(report, measurement)),
    "",
    ...state === "done" ? [`${seconds} s.`, ""] : [],
  ];
}

/** A row for each stage and kind of reason, whatever its numbers; what failed is named, each by itself. */
function formatOmissions({ omissions }: Report): string[] {
  if (omissions.length === 0) return ["Nothing."];
  const describe = ({ kind, name, reason }: Omission) =>
    kind === "failed" ? `${name}: ${reason}` : reason.replace(/; measured up to .*/, "");
  const alike = Map.groupBy(omissions, (omission) => {
    const reason = describe(omission);
    const { stage, kind } = omission;
    return [stage, kind, kind === "failed" ? reason : reason.replace(/\d[\d.,]*/g, "0")].join("\n");
  });
  return [
    "| stage | | why, of the first | how many |",
    "| --- | --- | --- | --: |",
    ...Array.from(alike.values(), (list) => {
      const [first] = list;
      return formatRow([first.stage, first.kind, describe(first), String(list.length)]);
    }),
    "",
    "The JSON names each.",
  ];
}

function formatMeasurement(report: Report, measurement: Measurement): string {
  const { name, shape, unit, median, least, most, rounds, firstMs, stage } = measurement;
  const ceiling = stage === "ceilings"
    ? undefined
    : report.measurements.find((other) => other.stage === "ceilings" && other.unit === unit);
  return formatRow([
    name,
    formatShape(shape),
    `${show(median)} ${unit}`,
    `${show(least)} to ${show(most)}`,
    String(rounds),
    ceiling ? `${show(100 * median / ceiling.most, 2)} %` : "",
    show(firstMs),
  ]);
}

/** A row of a table. */
export function formatRow(cells: readonly string[]): string {
  return `| ${cells.map(escape).join(" | ")} |`;
}

/** `1 minute`, `0.5 minutes` */
export function formatMinutes(minutes: number): string {
  return `${minutes} minute${minutes === 1 ? "" : "s"}`;
}

/** Some digits, and thousands as such. */
export function show(value: number, digits = 3): string {
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}

/** What Markdown and HTML would take for their own. */
function escape(text: string): string {
  return text.replace(/[|<>\\`*[\]]/g, (mark) => mark === "<" ? "&lt;" : `\\${mark}`);
}
