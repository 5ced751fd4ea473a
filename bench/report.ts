/**
 * Results as JSON lines and as a Markdown table.
 *
 * @module
 */
import type { Timing } from "./measure.ts";

/** Speeds: the key in JSON, the name in the table, and units of work a millisecond to it. */
const SPEEDS = {
  gflops: { label: "GFLOP/s", scale: 1e-6 },
  gb_per_s: { label: "GB/s", scale: 1e-6 },
  images_per_s: { label: "images/s", scale: 1e3 },
  entries_per_s: { label: "entries/s", scale: 1e3 },
} as const;

/** What one computation does, counted. */
export interface Work {
  readonly speed: keyof typeof SPEEDS;
  /** FLOPs, bytes, images or entries. */
  readonly count: number;
  /** How they were counted. */
  readonly formula: string;
}

/** What one case found. */
export interface Result {
  /** Name of the case. */
  readonly case: string;
  /** What was computed, with its shapes. */
  readonly computed: string;
  /** Sizes worth a field of their own. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly work: Work;
  readonly ours: Timing;
  /** `tfjs`: TensorFlow.js; `naive`: plain loops. */
  readonly peers: Partial<Readonly<Record<"tfjs" | "naive", Timing>>>;
}

/** Where and when the figures were taken. */
export interface Environment {
  readonly adapter: string;
  readonly deno: string;
  /** Short hash, with a `+` when files differ from it; `unknown` outside a repository. */
  readonly commit: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
}

/** Finds out about the machine and the checkout. */
export async function describeEnvironment(adapter: string): Promise<Environment> {
  const hash = await git("rev-parse", "--short", "HEAD");
  const dirty = await git("status", "--porcelain") ? "+" : "";
  return {
    adapter,
    deno: Deno.version.deno,
    commit: hash ? hash + dirty : "unknown",
    date: new Date().toISOString().slice(0, 10),
  };
}

/** One line of JSON: speeds as numbers, `peers` in the unit of ours, `ratios` ours divided by a peer's. */
export function formatJson(result: Result, environment: Environment): string {
  const { sizes, work, ours, peers, ...rest } = result;
  const speed = computeSpeed(work, ours);
  const speeds = mapPeers(peers, (timing) => computeSpeed(work, timing));
  return JSON.stringify({
    ...rest,
    ...sizes,
    counted: work.formula,
    ms: round(ours),
    [work.speed]: toDigits(speed),
    peers: mapPeers(speeds, toDigits),
    ratios: mapPeers(speeds, (peer) => toDigits(speed / peer)),
    peers_ms: mapPeers(peers, round),
    ...environment,
  });
}

/** A Markdown table with the environment below it. */
export function formatTable(results: readonly Result[], environment: Environment): string {
  const { adapter, deno, commit, date } = environment;
  return [
    "| case | computed | ms (least to most) | speed | TensorFlow.js | naive |",
    "| --- | --- | --: | --: | --: | --: |",
    ...results.map(formatRow),
    "",
    "Medians, each time with the wait for the device. A peer's figure is its speed in the same unit, then how many times as fast ours is.",
    "",
    `${adapter}; Deno ${deno}; commit ${commit}; ${date}.`,
  ].join("\n");
}

function formatRow({ case: name, computed, work, ours, peers }: Result): string {
  const { label } = SPEEDS[work.speed];
  const speed = computeSpeed(work, ours);
  const peer = (timing?: Timing) => {
    if (!timing) return "";
    const other = computeSpeed(work, timing);
    return `${show(other)}; ${show(speed / other)}x`;
  };
  const cells = [
    name,
    `${computed} (${work.formula})`,
    `${show(ours.median)} (${show(ours.min)} to ${show(ours.max)})`,
    `${show(speed)} ${label}`,
    peer(peers.tfjs),
    peer(peers.naive),
  ];
  return `| ${cells.join(" | ")} |`;
}

function computeSpeed({ speed, count }: Work, { median }: Timing): number {
  return count / median * SPEEDS[speed].scale;
}

function mapPeers<T, U>(peers: Readonly<Record<string, T>>, map: (value: T) => U) {
  return Object.fromEntries(Object.entries(peers).map(([name, value]) => [name, map(value)]));
}

function round({ median, min, max, ...counts }: Timing): Timing {
  return { median: toDigits(median), min: toDigits(min), max: toDigits(max), ...counts };
}

function toDigits(value: number): number {
  return Number(value.toPrecision(4));
}

/** Three digits, and thousands as such. */
function show(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** What git says, or nothing outside a repository. */
async function git(...args: string[]): Promise<string> {
  try {
    const { stdout } = await new Deno.Command("git", { args, cwd: import.meta.dirname }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return "";
  }
}
