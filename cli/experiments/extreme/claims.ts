/**
 * Claims of `extreme` with their rules, and notes for the reader.
 *
 * @module
 */
import type { Relation } from "../../../mod.ts";
import { summarise } from "../../report/statistics.ts";
import type { Claim } from "../experiment.ts";
import { claimDirection } from "../shared/verdict.ts";
import { type Case, type PairRun, sumLosses } from "./measure.ts";

/** Loss of a guess between two classes, in nats. */
const CHANCE = Math.log(2);

/** Claims about both cases. */
export function claimExtreme(pairs: Readonly<Record<Case, readonly PairRun[]>>): Claim[] {
  const [same, different] = [pairs["same label"], pairs["different labels"]];
  return [
    claimRelation("two samples of one image and one label", same, "interchangeable"),
    claimLater(same),
    claimRelation("two samples of one image and two labels", different, "contradictory"),
    claimHarder(same, different),
    claimStuck(different),
  ];
}

/** Claim that every pair has the relation that the paper derives for any network. */
function claimRelation(what: string, runs: readonly PairRun[], wanted: Relation): Claim {
  const found = runs.filter(({ relation }) => relation === wanted).length;
  return claimDirection({
    what: `${what} are ${wanted}`,
    paper: wanted,
    ours: sayShare(found, runs.length),
    need: `every pair is ${wanted}`,
    holds: found === runs.length,
  });
}

function claimLater(same: readonly PairRun[]): Claim {
  const difficulties = sumLosses(same);
  const later = difficulties.filter(([first, second]) => second < first).length;
  return claimDirection({
    what: "of those two, the one that appears later is easy",
    paper: "the later one is counted as easy",
    ours: `${sayShare(later, same.length)}; mean difficulty ${
      mean(difficulties.map(([first]) => first))
    } for the first, ${mean(difficulties.map(([, second]) => second))} for the second`,
    need: "the second has the smaller difficulty in every pair",
    holds: later === same.length,
  });
}

function claimHarder(same: readonly PairRun[], different: readonly PairRun[]): Claim {
  const [alone, against] = [sumLosses(same), sumLosses(different)];
  const harder = against.filter((pair, i) => Math.min(...pair) > Math.max(...alone[i])).length;
  return claimDirection({
    what: "both of those two are difficult",
    paper: "both are difficult",
    ours: `${sayShare(harder, same.length)}; mean difficulty ${mean(against.flat())} against ${
      mean(alone.flat())
    } with one label`,
    need: "in every pair both are harder than either of the same image with one label",
    holds: harder === same.length,
  });
}

function claimStuck(different: readonly PairRun[]): Claim {
  const last = averageLast(different);
  const stuck = last.filter((loss) => loss >= CHANCE).length;
  return claimDirection({
    what: "their learning does not converge",
    paper: "unlikely to converge",
    ours: `${sayShare(stuck, different.length)}; mean loss ${
      mean(last)
    } nats over the last tenth of the rounds, chance is ${CHANCE.toFixed(2)}`,
    need: "the mean loss over the last tenth of the rounds is not below chance in any pair",
    holds: stuck === different.length,
  });
}

/** Mean loss of each pair over the last tenth of the rounds, in nats. */
export function averageLast(runs: readonly PairRun[]): number[] {
  return runs.map(({ losses }) =>
    summarise(losses.slice(-Math.ceil(losses.length / 10)).flat()).mean!
  );
}

function mean(values: readonly number[]): string {
  return summarise(values).mean!.toFixed(2);
}

function sayShare(count: number, every: number): string {
  return `${count} of ${every} pairs`;
}

/** Notes for the reader. */
export const NOTES = [
  "The paper gives no image, network or learning rate for this example; ours are in the configuration.",
  "With K = 2 the sign vectors of the two labels are each other's negative, so the second case's similarity is exactly that of the first with the sign changed, for any network.",
  "A relation is judged at threshold 0.5 and before training; a loss is taken as a sample's turn comes, before its own update.",
];
