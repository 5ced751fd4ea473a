/** `lpntk plan`. @module */

import { type Command, Option } from "npm:@commander-js/extra-typings@15.1.0";
import type { Estimate } from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { toSketch } from "../inputs.ts";
import { isOnnx, loadDefinition, loadNetwork, readOnnx } from "../model.ts";
import { formatBytes, formatCount, formatSeconds } from "../units.ts";
import { describeSegment, options, report } from "./shared.ts";
import { parseCount, parseRatio, parseShape } from "./values.ts";

/** Adds the command. */
export function addPlan(program: Command): void {
  program.command("plan")
    .description("estimate the memory and time that a kernel takes, before it is computed")
    .addOption(options.model().makeOptionMandatory())
    .addOption(options.weights())
    .addOption(options.layers())
    .addOption(options.parameters())
    .requiredOption("--samples <n>", "number of samples of the rows", parseCount)
    .option("--others <n>", "number of samples of the columns, if they are others", parseCount)
    .option(
      "--shape <hxwxc>",
      "height, width and channels of an image (default: 28x28x1, or an ONNX file's)",
      parseShape,
    )
    .addOption(
      new Option("--classes <n>", "number of classes, if no --weights tell it").default(10)
        .argParser(parseCount).conflicts("weights"),
    )
    .option("--ratio <r>", "clusters per sample", parseRatio, 0.1)
    .option("--per-class", "cluster each class by itself")
    .addOption(options.memory())
    .addOption(options.sketch())
    .addOption(options.json())
    .action(async ({ json, ...settings }) => {
      const { model, samples, others, classes, ratio, perClass } = settings;
      const own = isOnnx(model) ? await readOnnx(model) : undefined;
      const shape = settings.shape ?? own?.inputShape ?? [28, 28, 1];
      const weights = settings.weights ?? (own && model);
      using engine = await openAdapter({ memoryBytes: settings.memory });
      using network = weights === undefined
        ? engine.network(await loadDefinition(model), { seed: 0, classes }, shape)
        : await loadNetwork(engine, { model, weights }, shape);
      const estimate = await engine.estimate(network, {
        count: samples,
        others,
        layers: settings.layers,
        parameters: settings.parameters,
        ratio,
        groups: perClass ? network.classes : 1,
        sketch: toSketch(settings.sketch),
      });
      report(json, { ...settings, shape, adapter: engine.adapter.name, ...estimate }, [
        `${model} over ${formatCount(samples)}${
          others === undefined ? "" : ` x ${formatCount(others)}`
        } samples of ${shape.join(" x ")} on ${engine.adapter.name}`,
        ...describeEstimate(estimate, engine.adapter.isFallback),
      ]);
    });
}

/**
 * Lines that tell of an estimate.
 *
 * @param isShared whether the device shares the process's memory
 */
export function describeEstimate(
  { layout, rows, variant, gram, clusters }: Estimate,
  isShared: boolean,
): string[] {
  const residence = {
    device: "on the device",
    file: "in a file, parts of two blocks at a time on the device",
    recomputed: `computed anew for every tile, ${
      formatCount(rows.passes)
    } times each for a whole kernel`,
  }[rows.residence];
  const width = Math.max(14, ...layout.segments.map(({ layer }) => layer.length));
  return [
    "",
    `packed rows      ${formatCount(layout.length)} floats a sample${
      rows.sliceCount > 1 ? ` in ${formatCount(rows.sliceCount)} parts` : ""
    }, ${formatBytes(rows.rowBytes)}, ${residence}`,
    ...layout.segments.map((segment) =>
      `  ${segment.layer.padEnd(width)} ${describeSegment(segment)}`
    ),
    `tiles            ${formatCount(gram.tiles)} of ${formatCount(rows.blockRows)} x ${
      formatCount(rows.blockRows)
    }, ${formatBytes(rows.tileBytes)} each`,
    ...isShared
      ? [`peak memory      ${formatBytes(rows.peakBytes)}, process and device together`]
      : [
        `peak memory      ${formatBytes(rows.hostBytes)} of the process, ${
          formatBytes(rows.deviceBytes)
        } of the device, which does not tell`,
        "                 how much it has: if it is less, tiles shrink, then rows go to a file",
      ],
    "",
    "once the rows are there, at the rates that doctor shows:",
    `kernel           ${formatCount(gram.flops / 1e9)} GFLOP, ${
      formatSeconds(gram.seconds)
    } (${variant}); ${formatBytes(gram.matrixBytes)} if it is stored whole`,
    ...gram.seconds > 3600 && !layout.sketch
      ? ["                 --sketch 4096 estimates it in less, and says how far off it is"]
      : [],
    `clusters         ${formatCount(clusters.count)} ${
      rows.stepwise
        ? `in ${formatCount(clusters.passes)} passes over the rows`
        : `from the whole kernel, for which the process holds ${
          formatBytes(clusters.heldBytes)
        } more`
    }, ${formatSeconds(clusters.seconds)}`,
  ];
}
