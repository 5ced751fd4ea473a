/**
 * What an adapter's report holds, and the file that it is kept in.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { FileError } from "../../engine/errors.ts";
import { readJson } from "../../engine/formats/json.ts";
import { describeName, describeValue } from "../../engine/options.ts";

/** Names the format in every report; a file without it is somebody else's. */
const FORMAT = "lpntk adapter report";

/** What a file should be. */
export const KIND = "a report that lpntk bench --report wrote";

/** Counted up whenever an older report cannot be compared with a newer one. */
const VERSION = 1;

/** Stages, the most decisive first. */
export const STAGES = [
  "checks",
  "overheads",
  "ceilings",
  "gram",
  "clustering",
  "reading",
  "lenet5",
  "mlp",
  "lenet_large",
] as const;
export type StageName = typeof STAGES[number];

/** Units of measurements, and whether more of it is better. */
export const UNITS = {
  "GFLOP/s": { isRate: true },
  "GB/s": { isRate: true },
  "images/s": { isRate: true },
  ms: { isRate: false },
  us: { isRate: false },
} as const;
export type Unit = keyof typeof UNITS;

/** Units of each stage's measurements. */
const STAGE_UNITS: Readonly<Record<StageName, readonly Unit[]>> = {
  checks: [],
  overheads: ["ms", "us"],
  ceilings: ["GFLOP/s", "GB/s"],
  gram: ["GFLOP/s"],
  clustering: ["GB/s"],
  reading: ["GB/s"],
  lenet5: ["images/s", "ms"],
  mlp: ["images/s", "ms"],
  lenet_large: ["images/s", "ms"],
};

/** Characters that are not seen, or that change how others are: controls, changes of direction, what is not assigned, line separators. */
const INVISIBLE = "\\p{C}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}";

/** Most characters of a text. */
const MOST_TEXT = 200;

/** A text as a report may hold it: in one line, of few characters, all of them to be seen. */
export function cleanText(text: string): string {
  return text.slice(0, MOST_TEXT).replace(new RegExp(`[${INVISIBLE}]+`, "gu"), " ");
}

// a report may come from anybody, and its texts are printed
const TEXT = z.string().max(MOST_TEXT).regex(
  new RegExp(`^[^${INVISIBLE}]*$`, "u"),
  "a character that cannot be seen",
);
const NUMBER = z.number().min(1e-9).max(1e15);
const COUNT = z.number().int().positive();
const NAMED_NUMBERS = z.record(TEXT, z.number());
/** Most entries of a list. */
const MOST_ENTRIES = 1000;

const MEASUREMENT = z.strictObject({
  stage: z.enum(STAGES),
  /** What was computed, without its sizes. */
  name: TEXT,
  /** Sizes, by name. */
  shape: z.record(TEXT.min(1), COUNT),
  unit: z.enum(Object.keys(UNITS) as [Unit, ...Unit[]]),
  median: NUMBER,
  least: NUMBER,
  most: NUMBER,
  /** Measurements that the three are of. */
  rounds: COUNT,
  /** Milliseconds of the very first computation, at the smallest size that was tried, compilation included. */
  firstMs: NUMBER,
}).refine(({ stage, unit }) => STAGE_UNITS[stage].includes(unit), "a unit that its stage lacks")
  .refine(
    ({ least, median, most }) => least <= median && median <= most,
    "a median that is not between least and most",
  );
export type Measurement = z.infer<typeof MEASUREMENT>;

/** What an omission names where a stage fails outside of any measurement. */
export const WHOLE_STAGE = "the stage";

const OMISSION = z.strictObject({
  stage: z.enum(STAGES),
  name: TEXT,
  /** `smaller`: measured, but not at the size that was meant; `left out`: not at all, for want of time or memory; `failed`: it was tried. */
  kind: z.enum(["smaller", "left out", "failed"]),
  reason: TEXT,
});
export type Omission = z.infer<typeof OMISSION>;

/** What `lpntk doctor` finds of some kernels. */
const CHECK = z.strictObject({
  kernels: TEXT,
  /** Largest error relative to the largest number; null where a number is none. */
  error: z.number().nullable(),
  passed: z.boolean(),
});

const REPORT = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  lpntk: TEXT,
  commit: TEXT,
  /** `YYYY-MM-DD`. */
  date: TEXT,
  deno: TEXT,
  host: z.strictObject({ os: TEXT, architecture: TEXT, cpus: COUNT }),
  adapter: z.strictObject({
    name: TEXT,
    vendor: TEXT,
    backend: TEXT,
    isCpu: z.boolean(),
    subgroupSizes: z.tuple([z.number(), z.number()]),
  }),
  limits: NAMED_NUMBERS,
  features: z.array(TEXT),
  /** What the run was given. */
  minutes: NUMBER,
  /** The variant of the Gram kernel that the engine chose on this adapter by its own measurements; null until it has. */
  variant: TEXT.nullable(),
  checks: z.array(CHECK).max(MOST_ENTRIES),
  stages: z.record(
    z.enum(STAGES),
    z.strictObject({ state: z.enum(["waiting", "begun", "done"]), seconds: z.number() }),
  ),
  measurements: z.array(MEASUREMENT).max(MOST_ENTRIES).refine(
    (list) => new Set(list.map(identify)).size === list.length,
    "the same measurement twice",
  ),
  omissions: z.array(OMISSION).max(MOST_ENTRIES),
});
export type Report = z.infer<typeof REPORT>;

/** What is known before the first stage. */
export type Header = Omit<
  Report,
  "format" | "version" | "variant" | "checks" | "stages" | "measurements" | "omissions"
>;

/** A report in which every stage waits. */
export function beginReport(header: Header): Report {
  const stages = Object.fromEntries(
    STAGES.map((name) => [name, { state: "waiting", seconds: 0 }]),
  ) as Report["stages"];
  const empty = { variant: null, checks: [], stages, measurements: [], omissions: [] };
  return { format: FORMAT, version: VERSION, ...header, ...empty };
}

/** Stages that had not ended when the report was cut, in their order. */
export function listUnfinished({ stages }: Report): StageName[] {
  return STAGES.filter((name) => stages[name].state !== "done");
}

/** What the checks of kernels found wrong: those that failed, and what ended the others. */
export function listFailedChecks({ checks, omissions }: Report): string[] {
  return [
    ...checks.filter(({ passed }) => !passed).map(({ kernels }) => kernels),
    ...omissions.filter(({ stage }) => stage === "checks").map(({ reason }) => reason),
  ];
}

/** What tells a measurement from every other of its report. */
export function identify(
  { stage, name, shape }: Pick<Measurement, "stage" | "name" | "shape">,
): string {
  return `${stage}: ${nameSize(name, shape)}`;
}

/** What is computed, with its sizes. */
export function nameSize(name: string, shape: Measurement["shape"]): string {
  return [name, formatShape(shape)].filter((part) => part !== "").join(", ");
}

/** `N 4,096, K 1,000` */
export function formatShape(shape: Measurement["shape"]): string {
  const sizes = Object.entries(shape).map(([name, size]) => `${name} ${size.toLocaleString("en")}`);
  return sizes.join(", ");
}

/** Whether JSON is a report, of whatever version of the format. */
export function namesFormat(json: unknown): boolean {
  return Object(json).format === FORMAT;
}

/**
 * Reads a report.
 *
 * @throws {FileError} if there is none, or the file is none, or one of another version of the format.
 */
export async function readReport(path: string): Promise<Report> {
  const fail = (state: string, need: string) =>
    new FileError(path, `Cannot read ${path}: got ${state}, need ${need}`);
  const json = await readJson(path, KIND);
  if (!namesFormat(json)) throw fail("other JSON", KIND);
  const { version } = json as { readonly version?: unknown };
  if (version !== VERSION) {
    throw fail(
      `a report of version ${describeValue(version)} of the format`,
      `version ${VERSION}; make it anew`,
    );
  }
  const { data, error } = REPORT.safeParse(json);
  if (data) return data;
  const [{ path: at, message }] = error.issues;
  const place = describeName(at.join(".") || "contents");
  throw fail(`a report whose ${place} is wrong (${describeName(message)})`, KIND);
}
