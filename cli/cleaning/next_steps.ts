/**
 * What to do once something was found.
 *
 * @module
 */
import type { Findings } from "./findings.ts";
import type { Found } from "./investigation.ts";
import { countFindings } from "./summary.ts";

/** Names of the data set and of the folder of results, as they were given. */
interface Places {
  readonly data: string;
  readonly out: string;
}

/** Recommends what to do: to decide and apply the decisions, or to train on what is left. */
export function recommend(found: Found, { data, out }: Places): Findings["next"] {
  const { samples, kept } = countFindings(found);
  if (kept === samples) return [{ text: "next: nothing is to be done" }];
  const [from, to] = [data, `${out}_cleaned`].map(quote);
  return [{
    text: `next: open ${out}/index.html, decide, save decisions.csv, and apply it`,
    command: `lpntk clean --apply decisions.csv --data ${from} --out ${to}`,
  }];
}

/** Quotes an argument for a POSIX shell, where it needs that. */
function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
