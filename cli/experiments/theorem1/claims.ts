/**
 * Claims of `theorem1` with their rules, and notes for the reader.
 *
 * @module
 */
import type { Claim } from "../experiment.ts";
import { type Kernel, KERNEL_NAMES, KERNELS } from "../shared/paper.ts";
import { claimDirection, claimNumber } from "../shared/verdict.ts";
import type { Floor, Series, Slope } from "./fits.ts";
import { type Growth, GROWTHS, PAIRS, type Pairs } from "./measure.ts";
import type { Settings } from "./settings.ts";

const GROWS = {
  all: "all hidden layers grow",
  last: "the last hidden layer alone grows",
} as const;

/**
 * Claims about the theorem as it is written, and about both readings of its limit.
 *
 * @param classes of the data set, the paper's K
 */
export function claimTheorem(
  slopes: readonly Slope[],
  floors: readonly Floor[],
  classes: number,
): Claim[] {
  const limits = [
    ["0 as the theorem implies", 0],
    ["4 / K as equation 10 has it once the factor s(y).s(y') / K is kept", 4 / classes],
  ] as const;
  return [
    ...GROWTHS.flatMap((growth) => PAIRS.map((pairs) => claimWritten(slopes, growth, pairs))),
    ...KERNELS.map((kernel) => claimRelative(slopes, kernel)),
    ...floors.flatMap((floor) =>
      limits.map(([reading, limit]) => claimLimit(floor, reading, limit))
    ),
  ];
}

function findSlope(slopes: readonly Slope[], wanted: Series) {
  return slopes.find((slope) =>
    slope.growth === wanted.growth && slope.measure === wanted.measure &&
    slope.kernel === wanted.kernel && slope.pairs === wanted.pairs
  )!.slope;
}

/** Claim that the distance falls as the theorem is written. */
function claimWritten(slopes: readonly Slope[], growth: Growth, pairs: Pairs): Claim {
  const series = { growth, measure: "equation 4", kernel: "lpntk", pairs } as const;
  const { value, low, high } = findSlope(slopes, series);
  return claimDirection({
    what: `lpNTK, pairs of ${pairs}, ${
      GROWS[growth]
    }: the distance of equation 4 falls at least as w^-1/2`,
    paper: "O(w^-1/2)",
    ours: `slope ${value.toFixed(3)} [${low!.toFixed(3)}, ${high!.toFixed(3)}]`,
    need: "the slope's 95% interval holds -1/2 or lies below it",
    holds: low! <= -0.5,
  });
}

/** Claim about the rate at which the distance falls if it tends to 0. */
function claimRelative(slopes: readonly Slope[], kernel: Kernel): Claim {
  const series = { growth: "all", measure: "relative", kernel, pairs: "one label" } as const;
  const { value, low, high } = findSlope(slopes, series);
  return claimNumber({
    what: `${
      KERNEL_NAMES[kernel]
    }, pairs of one label, all hidden layers grow: slope of the relative distance`,
    paper: -0.5,
    ours: { value, low: low!, high: high!, interval: "95% interval over networks and widths" },
    differences: [],
  });
}

/** Claim about one reading of what the relative distance for two labels tends to. */
function claimLimit({ growth, value, low, high }: Floor, reading: string, limit: number): Claim {
  return claimNumber({
    what: `lpNTK, pairs of two labels, ${GROWS[growth]}: the relative distance tends to ${reading}`,
    paper: limit,
    ours: { value, low: low!, high: high!, interval: "95% interval over networks" },
    differences: [],
  });
}

/** Notes for the reader; `count` samples were measured. */
export function noteTheorem(
  { networks, widths, pool, fitFrom, perClass }: Settings,
  count: number,
): string[] {
  return [
    `Networks of two hidden layers with relu, weights from N(0, 1 / inputs) and biases of 0 (LeCun), untrained; ${networks} at each width. ` +
    `"all": both hidden layers have the width; "last": the first one keeps ${
      Math.min(...widths)
    }. Images are pooled by ${pool} x ${pool}, so that they have fewer pixels than layers have units. Slopes and limits are fitted from width ${fitFrom} on. ` +
    `${count} samples, ${perClass} of each class; pairs of different samples.`,
    "The paper states the theorem without an experiment, and leaves open how wide the other layers are. Its bound has a constant alpha, the largest entry of the last hidden layer's kernel, " +
    "which grows with the width where all layers do.",
  ];
}
