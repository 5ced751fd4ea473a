/** `lpntk gram`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { computeGram, openEngine, writeNpy } from "../../mod.ts";
import { loadData, loadNetwork, project } from "../inputs.ts";
import { UsageError } from "../usage.ts";
import { withProgress } from "../progress.ts";
import { options, report } from "./shared.ts";

/** Adds the command. */
export function addGram(program: Command): void {
  program.command("gram")
    .description("compute a kernel matrix")
    .addOption(options.model().makeOptionMandatory())
    .addOption(options.weights().makeOptionMandatory())
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.kind())
    .addOption(options.split())
    .addOption(options.trainSize())
    .addOption(options.testSize())
    .option("--cross", "training samples against test samples")
    .addOption(options.memory())
    .addOption(options.out("matrix, float32 .npy [N, N]"))
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      if (!out.endsWith(".npy")) {
        throw new UsageError(`got --out ${out}, need a name that ends in .npy`);
      }
      if (settings.cross && settings.split === "test") {
        throw new UsageError("got both --cross and --split test, need one of them");
      }
      const left = await loadData(settings);
      const right = settings.cross ? await loadData({ ...settings, split: "test" }) : undefined;
      const start = performance.now();
      using engine = await openEngine({ memoryBytes: settings.memory });
      using network = await loadNetwork(engine, settings, left);
      using rows = await project(engine, network, left, settings.kind);
      using columns = right && await project(engine, network, right, settings.kind);
      const matrix = await withProgress(
        "multiplying",
        "tiles",
        (onProgress) => computeGram(rows, columns, onProgress),
      );
      const shape = [rows.count, (columns ?? rows).count];
      await writeNpy(out, matrix, shape);
      const seconds = (performance.now() - start) / 1000;
      report(json, { ...settings, shape, seconds, adapter: engine.adapter.name }, [
        `${settings.kind} of ${shape.join(" x ")} samples in ${seconds.toFixed(1)} s`,
        `wrote ${out}`,
      ]);
    });
}
