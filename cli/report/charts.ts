/**
 * Charts that experiments share, as SVG text: lines with bands, scatter panels, bars. Titles and names may hold any characters; they are
 * escaped.
 *
 * @module
 */
import type { TopLevelSpec } from "npm:vega-lite@6.5.0";
import {
  CHART,
  COLORS,
  countLegendColumns,
  DASHES,
  describeLogAxis,
  render,
  SHAPES,
} from "./chart_style.ts";

/** Title, scale and range of an axis. */
export interface Axis {
  /** Name and unit, for example `Loss (nats)`. */
  readonly title: string;
  /** Scale of the axis. Default: `linear`. */
  readonly scale?: "linear" | "log";
  /** Ends of the axis. Default: those of the values. */
  readonly domain?: readonly [number, number];
  /** Whether the values are integers; then the ticks are, too. */
  readonly isWhole?: boolean;
}

/** One line. */
export interface Line {
  /** Name in the legend. */
  readonly name: string;
  readonly points: readonly LinePoint[];
}

/** A point of a line, with the edges of its band where there is one. */
export interface LinePoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** Title, axes and look of a chart of lines. */
export interface LineChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Meaning of the bands, for example `± 1 standard deviation`; needed if there are any. */
  readonly band?: string;
  /** Whether the points are marked. Default: if no line has more than 30. */
  readonly markPoints?: boolean;
}

/**
 * Draws lines with bands, on linear or logarithmic axes.
 *
 * @returns SVG, 640 x 360
 * @throws {RangeError} no line, a line without a point, a number that is not finite (or, on a logarithmic axis, not positive), or bands without a
 * meaning.
 */
export async function drawLines(
  lines: readonly Line[],
  { title, x, y, band, markPoints }: LineChart,
): Promise<string> {
  const names = lines.map(({ name }) => name);
  const values = lines.flatMap(({ name, points }, line) => {
    if (points.length === 0) refuse(title, `no point in "${name}"`, "at least 1");
    return points.map((point) => ({ line, ...point }));
  });
  if (values.length === 0) refuse(title, "no line", "at least 1");
  checkNumbers(title, "x", values.map((point) => point.x), x);
  const heights = values.flatMap((point) =>
    [point.y, point.low, point.high].filter((value) => value !== undefined)
  );
  checkNumbers(title, "y", heights, y);
  const hasBands = values.some(({ low }) => low !== undefined);
  if (hasBands && band === undefined) refuse(title, "bands without a name", "what they are");
  const isMarked = markPoints ?? lines.every(({ points }) => points.length <= 30);
  const domain = [...lines.keys()];
  const vertical = describeAxis("y", y, heights, TITLE_ABOVE);
  const point = { filled: true, size: 36, opacity: 1 };
  return await render({
    ...CHART,
    ...head(title, names, hasBands ? `Band: ${band}` : undefined),
    data: { values },
    encoding: {
      x: describeAxis("x", x, values.map((value) => value.x)),
      color: {
        field: "line",
        type: "nominal",
        scale: { domain, range: COLORS },
        legend: { columns: countLegendColumns(names), labelExpr: "names[datum.value]" },
      },
    },
    layer: [
      ...hasBands
        ? [{
          mark: { type: "area", opacity: 0.18 } as const,
          encoding: { y: { ...vertical, field: "low" }, y2: { field: "high" } },
        }]
        : [],
      {
        mark: { type: "line", strokeWidth: 2 },
        encoding: {
          y: vertical,
          strokeDash: { field: "line", type: "nominal", scale: { domain, range: DASHES } },
        },
      },
      ...isMarked
        ? [{ mark: { type: "point", ...point } as const, encoding: { y: vertical } }]
        : [],
    ],
  });
}

/** One panel of a scatter plot. */
export interface Panel {
  readonly title: string;
  readonly points: readonly ScatterPoint[];
}

/** A point of a panel. */
export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  /** Index of its group's name. */
  readonly group: number;
}

/** Title, axes and groups that scatter panels share. */
export interface ScatterChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Names of the groups, which differ in colour and shape. */
  readonly groups: readonly string[];
}

/**
 * Draws scatter panels, three in a row, each on axes of its own.
 *
 * @returns SVG
 * @throws {RangeError} no panel, a panel without a point, or a number that is not finite (or, on a logarithmic axis, not positive).
 */
export async function drawScatter(
  panels: readonly Panel[],
  { title, x, y, groups }: ScatterChart,
): Promise<string> {
  if (panels.length === 0) refuse(title, "no panel", "at least 1");
  const domain = [...groups.keys()];
  const legend = {
    columns: countLegendColumns(groups),
    labelExpr: "names[datum.value]",
    symbolSize: 60,
  };
  const { width: _, height: __, autosize: ___, ...look } = CHART;
  const cells = panels.map((panel) => {
    const [xs, ys] = (["x", "y"] as const).map((key) => panel.points.map((point) => point[key]));
    if (xs.length === 0) refuse(title, `no point in "${panel.title}"`, "at least 1");
    checkNumbers(title, "x", xs, x);
    checkNumbers(title, "y", ys, y);
    return {
      width: 200,
      height: 200,
      // a plain string that begins like an expression would be read as one
      title: { text: [panel.title], anchor: "middle" as const, fontSize: 13, offset: 6 },
      data: { values: [...panel.points] },
      mark: { type: "point", size: 12, opacity: 0.6, strokeWidth: 1 } as const,
      encoding: {
        x: describeAxis("x", x, xs),
        y: describeAxis("y", y, ys),
        color: {
          field: "group",
          type: "nominal" as const,
          scale: { domain, range: COLORS },
          legend,
        },
        shape: {
          field: "group",
          type: "nominal" as const,
          scale: { domain, range: SHAPES },
          legend,
        },
      },
    };
  });
  return await render(
    {
      ...look,
      ...head(title, groups),
      columns: 3,
      concat: cells,
    } as TopLevelSpec,
  );
}

/** One bar. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Lower end of the whisker, whose upper end is `high`. */
  readonly low?: number;
  readonly high?: number;
}

/** Title and axis of a chart of bars. */
export interface BarChart {
  readonly title: string;
  /** Axis of the values. */
  readonly x: Axis;
  /** Meaning of the whiskers, for example `95% interval`; needed if there are any. */
  readonly whiskers?: string;
}

/**
 * Draws horizontal bars from 0, in the given order, with whiskers.
 *
 * @returns SVG, as high as the bars need
 * @throws {RangeError} no bar, a number that is not finite, or whiskers without a meaning.
 */
export async function drawBars(
  bars: readonly Bar[],
  { title, x, whiskers }: BarChart,
): Promise<string> {
  if (bars.length === 0) refuse(title, "no bar", "at least 1");
  const numbers = bars.flatMap(({ value, low, high }) =>
    [value, low, high].filter((number) => number !== undefined)
  );
  checkNumbers(title, "x", numbers, x);
  const hasWhiskers = bars.some(({ low }) => low !== undefined);
  if (hasWhiskers && whiskers === undefined) refuse(title, "whiskers without a name", "one");
  const horizontal = { field: "value", type: "quantitative" as const, title: x.title };
  const names = bars.map(({ name }) => name);
  return await render({
    ...CHART,
    height: 110 + 34 * bars.length,
    ...head(title, names, hasWhiskers ? `Whiskers: ${whiskers}` : undefined),
    data: { values: bars.map((bar, index) => ({ ...bar, index })) },
    encoding: {
      y: {
        field: "index",
        type: "ordinal",
        title: null,
        axis: { labelExpr: "names[datum.value]", labelLimit: 340, ticks: false, domain: false },
      },
    },
    layer: [
      {
        mark: { type: "bar", color: COLORS[0], opacity: 0.8, height: { band: 0.7 } },
        encoding: {
          x: x.domain ? { ...horizontal, scale: { domain: [...x.domain] } } : horizontal,
        },
      },
      ...hasWhiskers
        ? [{
          mark: { type: "rule", strokeWidth: 2, color: "black" } as const,
          encoding: { x: { ...horizontal, field: "low" }, x2: { field: "high" } },
        }]
        : [],
    ],
  });
}

/** Passes title and names as parameters: as literals, some texts ("toString", "valueOf") meet keys of Vega's own objects and break it. */
function head(title: string, names: readonly string[], subtitle = "") {
  return {
    title: { text: { expr: "title" }, subtitle },
    params: [{ name: "title", value: title }, { name: "names", value: [...names] }],
  };
}

/** Layout of a vertical axis's title above the plot: a long one beside it would be higher than the plot. */
const TITLE_ABOVE = {
  titleAngle: 0,
  titleAlign: "left",
  titleBaseline: "bottom",
  titleX: 0,
  titleY: -8,
} as const;

function describeAxis(
  field: string,
  { title, scale, domain, isWhole }: Axis,
  values: readonly number[],
  look: object = {},
) {
  if (scale === "log") {
    const [min, max] = domain ?? [Math.min(...values), Math.max(...values)];
    const axis = describeLogAxis(field, title, [min, max]);
    return { ...axis, axis: { ...axis.axis, ...look } };
  }
  return {
    field,
    title,
    type: "quantitative" as const,
    scale: domain ? { domain: [...domain], nice: false, padding: 8 } : { zero: false },
    axis: { ...isWhole && { tickMinStep: 1, format: "d" }, ...look },
  };
}

function checkNumbers(chart: string, name: string, values: readonly number[], axis: Axis): void {
  const isLog = axis.scale === "log";
  const bad = values.find((value) => !Number.isFinite(value) || isLog && value <= 0);
  if (bad !== undefined) {
    refuse(chart, `${name} = ${bad}`, `finite numbers${isLog ? " above 0" : ""}`);
  }
}

function refuse(chart: string, got: string, need: string): never {
  throw new RangeError(`Cannot draw "${chart}": got ${got}, need ${need}`);
}
