/**
 * What to do once something was found.
 *
 * @module
 */
import type { DataOptions } from "../samples.ts";
import type { Findings } from "./findings.ts";
import type { Found } from "./investigation.ts";
import type { JudgeOptions } from "./judge.ts";
import { countFindings } from "./summary.ts";

/** What the search was called with, as far as the next commands depend on it. */
interface Call extends DataOptions, JudgeOptions {
  readonly out: string;
  readonly seed?: number;
  readonly memory?: number;
  readonly verify?: true;
}

/** Recommends what to do: to apply what was decided, and to measure whether removing what is surely wrong helps. */
export function recommend(found: Found, call: Call): Findings["next"] {
  const { suspects, copies, outliers } = countFindings(found);
  if (suspects + copies.groups + outliers === 0) {
    return [{ text: "Nothing looks wrong, and nothing is to be done." }];
  }
  const { data, size, strict, model, weights, trainSize, sampleSeed, first, out } = call;
  const source = ["--data", data, ...size ? ["--size", size.join("x")] : []];
  const search = [
    ...source,
    ...writeOptions({ strict, model, weights }),
    ...writeOptions({ "train-size": trainSize, "sample-seed": sampleSeed || undefined, first }),
    ...writeOptions({ memory: call.memory, seed: call.seed || undefined }),
  ];
  const apply = ["--apply", "decisions.csv", ...source, "--out", `${out}_cleaned`];
  const verify = [...search, "--verify", "--out", `${out}_verified`];
  return [
    {
      text: "Decide, and apply the decisions.csv that you saved, with lpntk called as before:",
      command: writeCommand("clean", apply),
    },
    ...call.verify ? [] : [{
      text: "Or measure whether it helps to leave out what is surely wrong:",
      command: writeCommand("clean", verify),
    }],
  ];
}

/** Writes the options that are given; of a flag the name alone. */
function writeOptions(options: Readonly<Record<string, string | number | true | undefined>>) {
  return Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : value === true ? [`--${name}`] : [`--${name}`, String(value)]
  );
}

/** Writes a call of a command for a POSIX shell. It begins with `lpntk`, whichever way that is called: the process cannot know. */
export function writeCommand(command: string, args: readonly string[]): string {
  return ["lpntk", command, ...args].map(quote).join(" ");
}

/** Quotes an argument where a shell needs that. */
function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
