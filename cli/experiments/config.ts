/**
 * Configuration of an experiment: TOML whose keys are the experiment's settings, checked before any work.
 *
 * @module
 */
import { closest, distance } from "npm:fastest-levenshtein@1.0.16";
import { parse, stringify, TomlError } from "npm:smol-toml@1.9.1";
import type { z } from "npm:zod@4.6.7";
import { describeName, describeValue } from "../../engine/options.ts";
import { UsageError } from "../usage.ts";
import type { Base, Experiment } from "./experiment.ts";

/** A configuration file. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** Settings of an experiment, and where each came from. */
export interface Config {
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names the source of a setting, for an error: `--data`, `quick.toml, line 3`, or the base that it came from. */
  locate(key: string): string;
}

/** Settings that are options of the command too. */
export interface Choice {
  readonly data?: string;
  readonly model?: string;
}

/** Key of a configuration file that names the experiment; optional, and in every file that a run writes. */
const EXPERIMENT = "experiment";

/**
 * Reads the settings of an experiment: those of the base for the data set, overridden by the file's, and these by the options'.
 *
 * @throws {UsageError} if the file is not TOML, has an unknown key or a value that the experiment cannot take; the message names the line.
 */
export function readConfig(
  experiment: Experiment,
  base: Base,
  file?: ConfigFile,
  choice: Choice = {},
): Config {
  const named = file === undefined ? {} : parseToml(file);
  const locate = (key: string) =>
    Object.hasOwn(choice, key)
      ? `--${key}`
      : file !== undefined && Object.hasOwn(named, key)
      ? `${file.path}, line ${findLine(file.text, key)}`
      : `${base} settings of ${experiment.name}`;
  const { [EXPERIMENT]: name = experiment.name, ...own } = named;
  if (name !== experiment.name) {
    throw new UsageError(
      `Cannot use ${locate(EXPERIMENT)}: got experiment ${
        describeValue(name)
      }, need ${experiment.name}`,
    );
  }
  const chosen = { ...own, ...choice };
  const given = { ...findBase(experiment, base, chosen.data), ...chosen };
  const { data, error } = experiment.settings.strict().safeParse(given);
  if (error) throw refuse(error.issues[0], given, Object.keys(experiment.settings.shape), locate);
  return { settings: data, locate };
}

/** Finds what a base overrides of the defaults, on the data set if that needs settings of its own. */
function findBase({ byData = {}, quick, paper }: Experiment, base: Base, data: unknown) {
  const bases = Object.hasOwn(byData, `${data}`)
    ? byData[`${data}`]
    : { default: {}, quick, paper };
  return bases[base];
}

/** Encodes a configuration as TOML, with every setting; the same settings give the same text. */
export function encodeConfig(
  experiment: string,
  settings: Readonly<Record<string, unknown>>,
): string {
  return stringify({ [EXPERIMENT]: experiment, ...settings });
}

function parseToml({ path, text }: ConfigFile): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [reason] = cause.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new UsageError(`Cannot use ${path}, line ${cause.line}: ${reason}`, { cause });
  }
}

/**
 * Finds the line of a key's statement, from 1: the first one after the longest beginning of the text that is valid TOML without the key. A binary
 * search over the lines, so that a long file takes few attempts.
 */
function findLine(text: string, key: string): number {
  const lines = text.split("\n");
  // lines of a beginning without the key, and of one with it
  let [before, after] = [0, lines.length];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    // a beginning that ends within a statement of several lines is not valid
    let [count, names] = [middle, tryParse(lines.slice(0, middle).join("\n"))];
    while (names === undefined && ++count < after) {
      names = tryParse(lines.slice(0, count).join("\n"));
    }
    if (names === undefined || Object.hasOwn(names, key)) after = middle;
    else before = count;
  }
  return before + 1;
}

function tryParse(text: string): Record<string, unknown> | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function refuse(
  issue: z.core.$ZodIssue,
  given: Readonly<Record<string, unknown>>,
  known: readonly string[],
  locate: Config["locate"],
): UsageError {
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const nearest = closest(key, known);
    const hint = distance(key, nearest) <= key.length / 2 ? `; did you mean ${nearest}?` : "";
    return new UsageError(
      `Cannot use ${locate(key)}: got an unknown key ${describeName(key)}, need ${
        known.join(", ")
      }${hint}`,
    );
  }
  const [key] = issue.path.map(String);
  return new UsageError(
    `Cannot use ${locate(key)}: got ${key} = ${describeValue(given[key])}, need ${
      describeNeed(issue)
    }`,
  );
}

/** Types of settings in words. */
const TYPES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "an integer",
  number: "a number",
  string: "a text",
};

/** Describes what a value needs to be, from the fields of zod's issue; only checks of our own bring a text. */
function describeNeed(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return TYPES[issue.expected] ?? issue.expected;
  if (issue.code === "invalid_value") return issue.values.map(String).join(" or ");
  if (issue.code === "too_small") {
    const { origin, minimum, inclusive } = issue;
    return `${describeMeasure(origin)} ${inclusive ? "of at least" : "above"} ${minimum}`;
  }
  if (issue.code === "too_big") {
    const { origin, maximum, inclusive } = issue;
    return `${describeMeasure(origin)} ${inclusive ? "of at most" : "below"} ${maximum}`;
  }
  return issue.message;
}

function describeMeasure(origin: string): string {
  return origin === "string" ? "a length" : TYPES[origin] ?? "a number";
}
