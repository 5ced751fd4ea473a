/** `lpntk model`. @module */

import { type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import type { Estimate, LayerDescription, Network, Segment } from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { readData } from "../data_set.ts";
import { isOnnx, loadDefinition, MODEL_NEED, readOnnx } from "../model.ts";
import { formatBytes, formatCount, formatSeconds } from "../units.ts";
import { describeSegment, options, report } from "./shared.ts";
import { parseCount, parseModel, parseShape } from "./values.ts";

/** Numbers of samples that the cost of a kernel is told for. */
const COUNTS = [1_000, 60_000];

/** Adds the command. */
export function addModel(program: Command): void {
  program.command("model")
    .description("list a network's layers and parameters, and what its kernel costs")
    .argument("<model>", `network: ${MODEL_NEED}`, parseModel)
    .addOption(options.data())
    .addOption(options.size())
    .addOption(
      new Option(
        "--shape <hxwxc>",
        "height, width and channels of an image, if no --data tells (default: 28x28x1, or an ONNX file's)",
      ).argParser(parseShape).conflicts("data"),
    )
    .addOption(
      new Option(
        "--classes <n>",
        "number of classes, if no --data tells (default: 10, or an ONNX file's)",
      ).argParser(parseCount).conflicts("data"),
    )
    .addOption(options.parameters())
    .addOption(options.json())
    .action(async (model, { json, parameters, data, size, ...given }) => {
      const own = isOnnx(model) ? await readOnnx(model) : undefined;
      const told = data === undefined ? given : await readData({ data, size }, "train");
      const shape = told.shape ?? own?.inputShape ?? [28, 28, 1];
      const definition = await loadDefinition(model);
      using engine = await openAdapter();
      // the graph of a file fixes the number of classes, another of which is refused
      const source = own && told.classes === undefined
        ? own.weights
        : { seed: 0, classes: told.classes ?? 10 };
      using network = engine.network(definition, source, shape);
      const { classes } = network;
      const costs: (Estimate & { count: number })[] = [];
      for (const count of COUNTS) {
        costs.push({ count, ...await engine.estimate(network, { count, parameters }) });
      }
      const [{ layout }] = costs;
      const layers = (await describeLayers(network)).map((layer) => ({
        ...layer,
        segment: layout.segments.find(({ layer: name }) => name === layer.name),
      }));
      const counted = countParameters(layers.filter(({ segment }) => segment));
      const all = countParameters(layers);
      const adapter = engine.adapter.name;
      report(json, {
        ...{ model, shape, classes, parameters, adapter, layers, all, counted },
        rowLength: layout.length,
        costs: costs.map(({ count, rows, gram, variant }) => ({ count, rows, gram, variant })),
      }, [
        `${model} for images of ${shape.join(" x ")} and ${formatCount(classes)} classes`,
        ...listLayers(layers),
        `parameters       ${formatCount(all)}, ${
          counted === all ? "all of which" : `${formatCount(counted)} of which`
        } count`,
        `packed rows      ${formatCount(layout.length)} floats a sample`,
        "",
        `the kernel on ${adapter}, once the rows are there:`,
        ...costs.map(describeCost),
      ]);
    });
}

/** A layer with the shapes of its tensors, by their names in a `state_dict`. */
interface DescribedLayer extends LayerDescription {
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** Number of its parameters. */
  readonly parameters: number;
  /** What a row holds of it; undefined where it does not count. */
  readonly segment?: Segment;
}

/** Describes the layers of a network with the shapes of their tensors, in PyTorch's layout. */
async function describeLayers(network: Network): Promise<DescribedLayer[]> {
  const weights = await network.weights();
  return network.layers.map(({ name, kind, bias, outputShape, places }) => {
    const names = [name, `${name}.weight`, `${name}.bias`].filter((own) => weights.has(own));
    const parameters = names.reduce((sum, own) => sum + weights.get(own)!.data.length, 0);
    const tensors = Object.fromEntries(names.map((own) => [own, weights.get(own)!.shape]));
    return { name, kind, bias, outputShape, places, tensors, parameters };
  });
}

function countParameters(layers: readonly DescribedLayer[]): number {
  return layers.reduce((sum, { parameters }) => sum + parameters, 0);
}

/** Lines with a table of layers. */
function listLayers(layers: readonly DescribedLayer[]): string[] {
  const rows = layers.map((layer) => [
    layer.name + (layer.places > 1 ? ` (${layer.places} places)` : ""),
    layer.kind,
    Object.values(layer.tensors).map((shape) => `[${shape.join(", ")}]`).join(" + "),
    `[${layer.outputShape.join(", ")}]`,
    formatCount(layer.parameters),
    layer.segment ? describeSegment(layer.segment) : "does not count",
  ]);
  const table = [["layer", "kind", "shapes", "output", "parameters", "of a row"], ...rows];
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  return [
    "",
    ...table.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()),
    "",
  ];
}

/** Line with what a kernel over some samples takes. */
function describeCost({ count, gram, rows }: Estimate & { readonly count: number }): string {
  return `${`${formatCount(count)} samples`.padEnd(16)} ${formatCount(gram.flops / 1e9)} GFLOP, ${
    formatSeconds(gram.seconds)
  }; rows of ${formatBytes(rows.rowBytes)}`;
}
