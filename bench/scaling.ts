/**
 * Cost of whole commands as the data set grows:  deno run -A bench/scaling.ts WEIGHTS OUT [N...]
 *
 * WEIGHTS is a file of LeNet-5's weights for MNIST. For each N it runs `redundant` and `cluster --per-class --ratio 0.1` under `--memory 4GiB`, each
 * in a process of its own, prints a line of JSON for each, and draws OUT.svg.
 *
 * @module
 */
import { parse, View } from "npm:vega@6.4.0";
import { compile, type TopLevelSpec } from "npm:vega-lite@6.5.0";
import { measureCost } from "./process_cost.ts";

const SIZES = [5_000, 10_000, 20_000, 40_000, 60_000];

const COMMANDS: Readonly<Record<string, string>> = {
  "redundant": "redundant",
  "cluster per class": "cluster --per-class --ratio 0.1",
};

/** Cost of one command at one size. */
interface Point {
  readonly command: string;
  readonly samples: number;
  readonly seconds: number;
  readonly peakMebibytes: number;
}

function prepareLpntk(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.resolve("../cli/main.ts"), ...args],
    stdout: "null",
    stderr: "piped",
  });
}

async function measure(weights: string, sizes: readonly number[]): Promise<Point[]> {
  const points: Point[] = [];
  for (const samples of sizes) {
    for (const [command, call] of Object.entries(COMMANDS)) {
      const out = await Deno.makeTempDir();
      const source = `--model lenet5 --weights ${weights} --data mnist --train-size ${samples}`;
      const args = `${call} ${source} --memory 4GiB --out ${out}/run`.split(" ");
      const { seconds, peakBytes } = await measureCost(prepareLpntk(args));
      await Deno.remove(out, { recursive: true });
      const point = { command, samples, seconds, peakMebibytes: peakBytes / 2 ** 20 };
      console.log(JSON.stringify(point));
      points.push(point);
    }
  }
  return points;
}

async function draw(points: readonly Point[]): Promise<string> {
  const panel = (field: keyof Point, title: string, type: "log" | "linear") => ({
    width: 300,
    height: 240,
    mark: { type: "line" as const, point: true },
    encoding: {
      x: {
        field: "samples",
        type: "quantitative" as const,
        title: "Samples N",
        scale: { type, nice: false, padding: 8 },
        axis: { values: points.map(({ samples }) => samples), format: "~s" },
      },
      y: { field, type: "quantitative" as const, title, scale: { type } },
      strokeDash: { field: "command", type: "nominal" as const, title: null },
      color: {
        field: "command",
        type: "nominal" as const,
        title: null,
        scale: { range: ["#004488", "#bb5566"] },
      },
    },
  });
  const spec = {
    background: "white",
    data: { values: [...points] },
    hconcat: [
      panel("seconds", "Seconds, whole process", "log"),
      panel("peakMebibytes", "Peak resident memory, MiB", "linear"),
    ],
    config: { legend: { orient: "bottom" as const } },
  } satisfies TopLevelSpec;
  return await new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

const [weights, out, ...sizes] = Deno.args;
if (!weights || !out) {
  console.error("Usage: deno run -A bench/scaling.ts WEIGHTS OUT [N...]");
  Deno.exit(2);
}
const points = await measure(weights, sizes.length > 0 ? sizes.map(Number) : SIZES);
await Deno.writeTextFile(`${out}.svg`, await draw(points));
