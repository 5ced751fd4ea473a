/**
 * Results as JSON lines and as a Markdown table.
 *
 * @module
 */
import type { Timing } from "../engine/gpu/timing.ts";

/** Units of speed by their keys in JSON: the name in the table, and the factor from units of work a millisecond. */
const SPEEDS = {
  gflops: { label: "GFLOP/s", scale: 1e-6 },
  gb_per_s: { label: "GB/s", scale: 1e-6 },
  images_per_s: { label: "images/s", scale: 1e3 },
  entries_per_s: { label: "entries/s", scale: 1e3 },
} as const;

/** Amount of work of one computation. */
export interface Work {
  readonly speed: keyof typeof SPEEDS;
  /** Number of FLOPs, bytes, images or entries. */
  readonly count: number;
  /** Formula by which they were counted. */
  readonly formula: string;
  /** Number that ours really executes, if it differs: its share of the ceiling is counted in these. */
  readonly executed?: number;
}

/** Names of peers in the table; `naive` and the rest stand for themselves. */
const PEERS: Readonly<Record<string, string>> = {
  tfjs: "TensorFlow.js",
  ssyrk: "OpenBLAS ssyrk",
  sgemm: "OpenBLAS sgemm",
  pytorch: "PyTorch",
  "pytorch-structured": "PyTorch structured",
  "pytorch-vmap": "PyTorch vmap(grad)",
  "pytorch-authors": "the authors' way in PyTorch",
  "jax-js-vmap": "jax-js vmap(grad)",
};

/** Result of one case. */
export interface Result {
  /** Name of the case. */
  readonly case: string;
  /** Description of the computation, with its shapes. */
  readonly computed: string;
  /** Sizes worth a field of their own. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Variant of the Gram kernel, where one was chosen. */
  readonly variant?: string;
  readonly work: Work;
  readonly ours: Timing;
  /** Timings of the peers by their keys in JSON. */
  readonly peers: Readonly<Record<string, Timing>>;
}

/** Measured ceilings, by the unit of what stays below them. */
export interface Ceilings {
  /** GFLOP/s, a multiply-add counted as two. */
  readonly gflops: number;
  /** GB/s from buffer to buffer, bytes read and bytes written counted. */
  readonly gb_per_s: number;
}

/** Machine, checkout and day of the figures. */
export interface Place {
  readonly adapter: string;
  readonly deno: string;
  /** Short hash, with a `+` when files differ from it; `unknown` outside a repository, and where git may not be started. */
  readonly commit: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** Place of the figures, and the adapter's ceilings. */
export interface Environment extends Place {
  readonly ceilings: Ceilings;
}

/** Describes the machine and the checkout. */
export async function describePlace(adapter: string): Promise<Place> {
  // a folder within another repository has another name there
  const isOurs = await git("rev-parse", "--show-prefix") === "bench/";
  const hash = isOurs ? await git("rev-parse", "--short", "HEAD") : "";
  const dirty = hash && await git("status", "--porcelain") ? "+" : "";
  return {
    adapter,
    deno: Deno.version.deno,
    commit: hash ? hash + dirty : "unknown",
    date: new Date().toISOString().slice(0, 10),
  };
}

/**
 * Formats a result as one line of JSON: speeds as numbers, `peers` in the unit of ours, `ratios` ours divided by a peer's, `ceiling` in the unit of
 * ours and `share` what ours reaches of it.
 */
export function formatJson(result: Result, environment: Environment): string {
  const { sizes, work, ours, peers, ...rest } = result;
  const { ceilings, ...origin } = environment;
  const speed = computeSpeed(work, ours);
  const speeds = mapPeers(peers, (timing) => computeSpeed(work, timing));
  const limit = findCeiling(result, ceilings);
  return JSON.stringify({
    ...rest,
    ...sizes,
    counted: work.formula,
    ms: round(ours),
    [work.speed]: toDigits(speed),
    ...limit && { ceiling: toDigits(limit.ceiling), share: toDigits(limit.share) },
    peers: mapPeers(speeds, toDigits),
    ratios: mapPeers(speeds, (peer) => toDigits(speed / peer)),
    peers_ms: mapPeers(peers, round),
    ...origin,
  });
}

/**
 * Formats results as a Markdown table with the environment below it.
 *
 * @param notes lines below the table: which peers are missing, and why
 */
export function formatTable(
  results: readonly Result[],
  environment: Environment,
  notes: Iterable<string>,
): string {
  const { adapter, deno, commit, date, ceilings } = environment;
  return [
    "| case | computed | ms (least to most) | speed | of the ceiling | peers |",
    "| --- | --- | --: | --: | --: | --- |",
    ...results.map((result) => formatRow(result, ceilings)),
    "",
    "Medians, each time with the wait for the device. A peer's figure is its speed in the same unit, then how many times as fast ours is.",
    `Ceilings of the adapter, measured in the same process: ${
      show(ceilings.gflops)
    } GFLOP/s of multiply-adds from registers, ${
      show(ceilings.gb_per_s)
    } GB/s of a copy from buffer to buffer, read and written.`,
    ...Array.from(notes, (note) => `\n${note}`),
    "",
    `${adapter}; Deno ${deno}; commit ${commit}; ${date}.`,
  ].join("\n");
}

function formatRow(result: Result, ceilings: Ceilings): string {
  const { case: name, computed, variant, work, ours, peers } = result;
  const { label } = SPEEDS[work.speed];
  const speed = computeSpeed(work, ours);
  const others = Object.entries(peers).map(([peer, timing]) => {
    const other = computeSpeed(work, timing);
    return `${PEERS[peer] ?? peer} ${show(other)} (${show(speed / other)}x)`;
  });
  const limit = findCeiling(result, ceilings);
  const cells = [
    name,
    `${computed} (${work.formula}${variant ? `; ${variant}` : ""})`,
    `${show(ours.median)} (${show(ours.min)} to ${show(ours.max)})`,
    `${show(speed)} ${label}`,
    limit ? `${(100 * limit.share).toFixed(0)} %` : "",
    others.join("; "),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Finds the ceiling in the unit of a result, if there is one, and the share that the result reaches. */
function findCeiling({ work, ours }: Result, ceilings: Ceilings) {
  if (work.speed !== "gflops" && work.speed !== "gb_per_s") return undefined;
  const ceiling = ceilings[work.speed];
  const executed = computeSpeed({ ...work, count: work.executed ?? work.count }, ours);
  return { ceiling, share: executed / ceiling };
}

function computeSpeed({ speed, count }: Work, { median }: Timing): number {
  return count / median * SPEEDS[speed].scale;
}

function mapPeers<T, U>(peers: Readonly<Record<string, T>>, map: (value: T) => U) {
  return Object.fromEntries(Object.entries(peers).map(([name, value]) => [name, map(value)]));
}

/** A timing of four digits. */
export function round({ median, min, max, ...counts }: Timing): Timing {
  return { median: toDigits(median), min: toDigits(min), max: toDigits(max), ...counts };
}

/** Four digits, for JSON. */
export function toDigits(value: number): number {
  return Number(value.toPrecision(4));
}

/** Formats a number with three digits and separated thousands. */
export function show(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** Asks git, where it may be started without a question; an empty text outside a repository. */
async function git(...args: string[]): Promise<string> {
  const { state } = await Deno.permissions.query({ name: "run", command: "git" });
  if (state !== "granted" || import.meta.dirname === undefined) return "";
  try {
    const { stdout } = await new Deno.Command("git", { args, cwd: import.meta.dirname }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return "";
  }
}
