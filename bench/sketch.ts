/**
 * Error of sketched kernels:  deno run -A bench/sketch.ts OUT [PROJECTIONS...]
 *
 * For each network, trained for two epochs on 2,000 images of its data set unless it is new, and each number of projections (default: 1,024, 4,096
 * and 16,384), it measures the error over five seeds, prints a line of JSON, and draws OUT.svg.
 *
 * @module
 */
import { parse, View } from "npm:vega@6.4.0";
import { compile, type TopLevelSpec } from "npm:vega-lite@6.5.0";
import {
  type Engine,
  lenetLarge,
  loadDataset,
  type Network,
  type NetworkDefinition,
  openEngine,
  resnet18,
  resnet18Narrow,
  resnet8,
} from "../mod.ts";

const NUMBERS = [1024, 4096, 16384];
const SEEDS = 5;
const SIZE = 2000;

/** A network and its data set; a new one is as its seed draws it. */
interface Setting {
  readonly definition: NetworkDefinition;
  readonly data: string;
  readonly isNew?: boolean;
}

const SETTINGS: readonly Setting[] = [
  { definition: lenetLarge, data: "mnist" },
  { definition: resnet8, data: "cifar10" },
  { definition: resnet18Narrow, data: "cifar10" },
  { definition: resnet18, data: "cifar10", isNew: true },
];

/** Errors of one network and number of projections, in percent of `sqrt(kappa(x, x) kappa(x', x'))`. */
interface Point {
  readonly network: string;
  readonly exactLength: number;
  readonly numbers: number;
  /** Root mean square of the errors over the seeds. */
  readonly error: number;
  readonly least: number;
  readonly most: number;
  /** The largest mean error of a seed, without its sign. */
  readonly bias: number;
}

async function measure(
  engine: Engine,
  { definition, data, isNew }: Setting,
  numbers: readonly number[],
): Promise<Point[]> {
  const samples = await loadDataset(data, "train", { size: SIZE });
  const seed = { seed: 0, classes: samples.classes };
  using network: Network = engine.network(definition, seed, samples.shape);
  if (!isNew) {
    await engine.train(network, samples, { epochs: 2, batch: 64, learningRate: 0.02 });
  }
  const points: Point[] = [];
  for (const dimension of numbers) {
    const bars = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      bars.push(await engine.measureSketch(network, samples, { sketch: { dimension, seed } }));
    }
    const errors = bars.map(({ error }) => 100 * error);
    const point = {
      network: `${definition.name}${isNew ? ", new" : ""}`,
      exactLength: bars[0].exactLength,
      numbers: dimension,
      error: Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / SEEDS),
      least: Math.min(...errors),
      most: Math.max(...errors),
      bias: Math.max(...bars.map(({ bias }) => 100 * Math.abs(bias))),
    };
    console.log(JSON.stringify(point));
    points.push(point);
  }
  return points;
}

async function draw(points: readonly Point[]): Promise<string> {
  const type = "quantitative" as const;
  const scale = { type: "log" as const, nice: false, padding: 12 };
  const x = {
    field: "numbers",
    type,
    title: "Numbers of a sketched row",
    scale,
    axis: { values: [...new Set(points.map(({ numbers }) => numbers))], format: ",d" },
  };
  const y = (field: keyof Point) => ({
    field,
    type,
    title: "Error, % of √(κ(x,x) κ(x',x'))",
    scale,
    axis: { values: [0.2, 0.5, 1, 2, 5, 10, 20] },
  });
  const color = {
    field: "network",
    type: "nominal" as const,
    title: null,
    scale: { range: ["#004488", "#bb5566", "#997700", "#000000"] },
  };
  const spec = {
    background: "white",
    data: { values: [...points] },
    width: 380,
    height: 280,
    layer: [
      { mark: { type: "line", point: true }, encoding: { x, y: y("error"), color } },
      { mark: "rule", encoding: { x, y: y("least"), y2: { field: "most" }, color } },
    ],
    config: { legend: { orient: "bottom" as const } },
  } satisfies TopLevelSpec;
  return await new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

const [out, ...numbers] = Deno.args;
if (!out) {
  console.error("Usage: deno run -A bench/sketch.ts OUT [PROJECTIONS...]");
  Deno.exit(2);
}
using engine = await openEngine();
const points: Point[] = [];
for (const setting of SETTINGS) {
  points.push(
    ...await measure(engine, setting, numbers.length > 0 ? numbers.map(Number) : NUMBERS),
  );
}
await Deno.writeTextFile(`${out}.svg`, await draw(points));
