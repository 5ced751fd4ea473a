/**
 * Fits of distances over the width: their slopes, and the limit that they tend to.
 *
 * @module
 */
import { estimateMean } from "../../report/intervals.ts";
import { type Estimate, fitSlope } from "../../report/statistics.ts";
import { type Kernel, KERNELS } from "../shared/paper.ts";
import { listKeys } from "../shared/records.ts";
import {
  type Distance,
  type Growth,
  GROWTHS,
  PAIRS,
  type Pairs,
  type Sighting,
} from "./measure.ts";

/** Measures of distance that are followed over the widths. */
export const MEASURES = {
  "equation 4": ({ absolute }: Distance, width: number) => absolute / Math.sqrt(width),
  relative: ({ relative }: Distance) => relative,
} as const;
export type Measure = keyof typeof MEASURES;
export const MEASURE_KEYS = listKeys(MEASURES);

/** One distance as the width grows. */
export interface Series {
  readonly growth: Growth;
  readonly kernel: Kernel;
  readonly pairs: Pairs;
  readonly measure: Measure;
}

/** The slope of a distance over the width, both as logarithms. */
export interface Slope extends Series {
  readonly slope: Estimate;
}

/** The limit of the relative distance of lpNTK for pairs of two labels. */
export interface Floor extends Estimate {
  readonly growth: Growth;
}

/** Distance of one network. */
export interface Point {
  readonly width: number;
  readonly distance: number;
}

/** Lists all series. */
export function listSeries(): Series[] {
  return GROWTHS.flatMap((growth) =>
    MEASURE_KEYS.flatMap((measure) =>
      PAIRS.flatMap((pairs) => KERNELS.map((kernel) => ({ growth, kernel, pairs, measure })))
    )
  );
}

/** Lists the points of a series, one for each network. */
export function listPoints(
  sightings: readonly Sighting[],
  { growth, kernel, pairs, measure }: Series,
): Point[] {
  return sightings.filter((sighting) => sighting.growth === growth).map(({ width, distances }) => ({
    width,
    distance: MEASURES[measure](distances[kernel][pairs], width),
  }));
}

/** Fits the slope of every series. */
export function fitSlopes(sightings: readonly Sighting[]): Slope[] {
  return listSeries().map((series) => {
    const points = listPoints(sightings, series);
    const slope = fitSlope(
      points.map(({ width }) => Math.log(width)),
      points.map(({ distance }) => Math.log(distance)),
    )!;
    return { ...series, slope };
  });
}

/** Fits the floor of each growth. */
export function fitFloors(sightings: readonly Sighting[]): Floor[] {
  return GROWTHS.map((growth) => ({
    growth,
    ...fitFloor(sightings.filter((sighting) => sighting.growth === growth)),
  }));
}

/**
 * Estimates what the relative distance of lpNTK for pairs of two labels tends to: its square is `floor^2 + b / width`, so that the square times the
 * width is a line over the width, with the slope `floor^2`. The i-th networks of all widths give one line, and all these lines the interval.
 */
function fitFloor(sightings: readonly Sighting[]): Estimate {
  const lines = Map.groupBy(sightings, ({ network }) => network).values().map((points) =>
    fitSlope(
      points.map(({ width }) => width),
      points.map(({ width, distances }) => width * distances.lpntk["two labels"].relativeSquare),
    )!.value
  );
  const square = estimateMean([...lines]);
  const root = (square: number) => Math.sqrt(Math.max(0, square));
  return { value: root(square.value), low: root(square.low!), high: root(square.high!) };
}
