/**
 * Claims of `difficulty` with their rules, and notes for the reader.
 *
 * @module
 */
import type { Claim } from "../experiment.ts";
import { claimDirection } from "../shared/verdict.ts";
import type { Comparison } from "./comparisons.ts";

/**
 * Claims about rho over the size of the subsets.
 *
 * @param comparisons from the largest subsets to the smallest
 */
export function claimDifficulty(comparisons: readonly Comparison[]): Claim[] {
  return [claimFall(comparisons), claimLeast(comparisons)];
}

function claimFall(comparisons: readonly Comparison[]): Claim {
  const rises = findRises(comparisons);
  return claimDirection({
    what: "rho falls as the subsets shrink",
    paper: "less correlation the smaller the subset (figure 1; no numbers in the text)",
    ours: comparisons.map(showRho).join(", "),
    need: "rho is smaller at each size than at the next larger one; a rise counts against it " +
      "where the intervals lie apart, and decides nothing where they overlap",
    holds: rises.length === 0,
    ...rises.length > 0 && !rises.some(({ isApart }) => isApart) && {
      unable: `no fall, and intervals that overlap, ${
        rises.map(({ from, to }) => `from X = ${from} to X = ${to}`).join(" and ")
      }`,
    },
  });
}

/** Steps to a smaller size at which rho does not fall, and whether the intervals there lie apart. */
function findRises(comparisons: readonly Comparison[]) {
  return comparisons.slice(1).flatMap(({ size: to, rho: after }, i) => {
    const { size: from, rho: before } = comparisons[i];
    if ((after?.value ?? NaN) < (before?.value ?? NaN)) return [];
    return [{ from, to, isApart: (after?.low ?? NaN) > (before?.high ?? NaN) }];
  });
}

function claimLeast(comparisons: readonly Comparison[]): Claim {
  const [largest, smallest] = [comparisons[0], comparisons.at(-1)!];
  return claimDirection({
    what: "samples alone are far less correlated than samples among many",
    paper: "least correlation at the smallest subset",
    ours: `${showInterval(smallest)} against ${showInterval(largest)}`,
    need: "the interval at the smallest size lies below that at the largest",
    holds: (smallest.rho?.high ?? NaN) < (largest.rho?.low ?? NaN),
  });
}

function showRho({ size, rho }: Comparison): string {
  return `${rho?.value.toFixed(3) ?? "-"} at X = ${size}`;
}

function showInterval(comparison: Comparison): string {
  const { rho } = comparison;
  return `${showRho(comparison)} [${rho?.low?.toFixed(3) ?? "-"}, ${rho?.high?.toFixed(3) ?? "-"}]`;
}

/** Notes for the reader. */
export const NOTES = [
  "Algorithm 1 lists a step for each sample, and adds the gradient; section 3.2 says full-batch gradient descent. We descend on the full batch, as the text says.",
  "The paper gives neither epochs, learning rate nor hidden units; ours are in the configuration, and all models of a run share them and their first parameters.",
  "All models begin with the same parameters, which favour some classes over others before anything is learnt. That stays visible in small subsets, the more the fewer the epochs: rho within classes says how much of rho it is.",
  "The interval is Fisher's, which takes both difficulties to be normal; they are skewed.",
];
