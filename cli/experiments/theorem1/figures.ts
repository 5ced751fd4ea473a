/**
 * Tables and figures of `theorem1`.
 *
 * @module
 */
import { drawLines } from "../../report/charts.ts";
import { summarise } from "../../report/statistics.ts";
import type { Figure, Table } from "../experiment.ts";
import { KERNEL_NAMES } from "../shared/paper.ts";
import {
  listPoints,
  listSeries,
  type Measure,
  MEASURE_KEYS,
  type Point,
  type Slope,
} from "./fits.ts";
import { type Growth, GROWTHS, type Sighting } from "./measure.ts";

/**
 * Table of every series' slope.
 *
 * @param overAll slopes over all widths
 * @param from smallest width of the fit
 */
export function tabulateSlopes(
  slopes: readonly Slope[],
  overAll: readonly Slope[],
  from: number,
): Table {
  return {
    name: "slopes",
    caption:
      `Slopes of the logarithm of the distance over that of the width, with 95% intervals, from width ${from} on`,
    rows: slopes.map(({ slope: { value, low, high }, ...series }, i) => ({
      ...series,
      slope: value,
      low,
      high,
      "slope over all widths": overAll[i].slope.value,
    })),
  };
}

/** Table of every series at every width. */
export function tabulateDistances(sightings: readonly Sighting[]): Table {
  return {
    name: "distances",
    caption: "Distances at each width, mean and standard deviation over the networks",
    rows: listSeries().flatMap((series) =>
      averagePoints(listPoints(sightings, series)).map(({ width, mean, deviation }) => (
        { ...series, width, mean, deviation }
      ))
    ),
  };
}

/** Mean and standard deviation at each width. */
function averagePoints(points: readonly Point[]) {
  return [...Map.groupBy(points, ({ width }) => width)].map(([width, own]) => {
    const { mean, standardDeviation } = summarise(own.map(({ distance }) => distance));
    return { width, mean: mean!, deviation: standardDeviation! };
  });
}

/** Figures, one for each growth and measure. */
export async function drawGrowths(
  sightings: readonly Sighting[],
  classes: number,
): Promise<Figure[]> {
  return await Promise.all(
    GROWTHS.flatMap((growth) =>
      MEASURE_KEYS.map((measure) => drawDistances(sightings, growth, measure, classes))
    ),
  );
}

async function drawDistances(
  sightings: readonly Sighting[],
  growth: Growth,
  measure: Measure,
  classes: number,
): Promise<Figure> {
  const grows = growth === "all" ? "all hidden layers" : "the last hidden layer alone";
  const drawn = listSeries().filter((series) =>
    series.growth === growth && series.measure === measure
  );
  const lines = drawn.map((series) => ({
    name: `${KERNEL_NAMES[series.kernel]}, ${series.pairs}`,
    points: averagePoints(listPoints(sightings, series)).map(({ width, mean, deviation }) => ({
      x: width,
      y: mean,
      // the band stays above 0, which a logarithmic axis cannot show
      low: Math.max(mean - deviation, mean / 2),
      high: mean + deviation,
    })),
  }));
  const isRelative = measure === "relative";
  return {
    name: `${isRelative ? "relative" : "equation-4"}-${growth}`,
    caption: isRelative
      ? `Distance relative to the eNTK's norm while ${grows} grow; 4 / K is ${4 / classes}`
      : `Distance as equation 4 writes it while ${grows} grow`,
    svg: await drawLines(lines, {
      title: `${isRelative ? "Relative distance" : "Equation 4"} as ${grows} grow`,
      x: { title: "Width (units)", scale: "log" },
      y: {
        title: isRelative ? "|κ I − K| / |K| (Frobenius)" : "|κ I − K| / √w (Frobenius)",
        scale: "log",
      },
      band: "± 1 standard deviation over networks",
    }),
  };
}
