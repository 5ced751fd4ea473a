/** `lpntk neighbours`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import { computeGram, type Dataset, hashDataset, indexSample, takeSamples } from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { hashNetwork, loadNetwork, measureSketch, project } from "../inputs.ts";
import { noteEmptyClasses } from "../notes.ts";
import { describeChoice, findPosition, loadTrainingSets, writeIndices } from "../samples.ts";
import { OutputFolder } from "../output.ts";
import { drawSamples, pictureSample } from "../report/contact_sheet.ts";
import { describeSketch, options, report } from "./shared.ts";
import { parseCount, parseIndex } from "./values.ts";

/** Adds the command. */
export function addNeighbours(program: Command): void {
  program.command("neighbours")
    .description("list the training samples that help and hurt a test sample most")
    .addOption(options.model().makeOptionMandatory())
    .addOption(options.weights().makeOptionMandatory())
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.kind())
    .addOption(options.layers())
    .addOption(options.trainSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .requiredOption("--test <i>", "index of the test sample in its whole split", parseIndex)
    .option("--top <k>", "number of training samples of either kind to list", parseCount, 10)
    .addOption(options.memory())
    .addOption(options.sketch())
    .addOption(
      options.out("folder for summary.json, similarity.npy, samples.npy and neighbours.svg"),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...settings }) => {
      const { model, data, kind, test, top } = settings;
      const summary = await OutputFolder.fill(
        out,
        { command: "neighbours", options: settings },
        async (folder) => {
          const sets = await loadTrainingSets(settings);
          const { data: train, choice } = sets.train;
          const position = findPosition(test, sets.test.data.indices, "find the neighbours");
          const judged = takeSamples(sets.test.data, [position]);
          using engine = await openAdapter({ memoryBytes: settings.memory });
          using network = await loadNetwork(engine, settings, sets.train);
          folder.declare({
            ...await hashNetwork(network, model),
            samples: hashDataset(train),
            test: hashDataset(judged),
          });
          const logits = await engine.logits(network, judged);
          const sketch = await measureSketch(engine, network, judged, settings, train);
          using row = await project(engine, network, judged, settings, train.labels.length);
          using columns = await project(engine, network, train, settings);
          noteEmptyClasses(train);
          const similarity = await computeGram(row, columns);
          const [self] = await computeGram(row);
          const label = judged.labels[0];
          const neighbours = rankNeighbours(similarity, train, top);
          const summary = {
            model,
            data,
            kind,
            layers: settings.layers,
            adapter: engine.adapter.name,
            test: {
              sample: test,
              label,
              predicted: logits.indexOf(Math.max(...logits)),
              selfSimilarity: self,
            },
            samples: train.labels.length,
            choice,
            ...neighbours,
            sketch,
          };
          await folder.writeNpy("similarity.npy", similarity, [1, similarity.length]);
          await writeIndices(folder, train.indices);
          const pictures = (found: readonly Neighbour[]) =>
            found.map(({ sample, label, similarity }) =>
              pictureSample(
                train,
                findPosition(sample, train.indices, "draw the neighbours"),
                `${label} (#${sample}) ${formatShare(similarity / self)}`,
              )
            );
          const rows = [
            {
              caption: "Test sample",
              images: [pictureSample(judged, 0, `${label} (#${test})`)],
            },
            {
              caption: "Helps it most, of its self-similarity",
              images: pictures(neighbours.helps),
            },
            {
              caption: "Hurts it most, of its self-similarity",
              images: pictures(neighbours.hurts),
            },
          ].filter(({ images }) => images.length > 0);
          const title = `Test sample ${test} of ${data} under ${model}`;
          await folder.writeText("neighbours.svg", drawSamples(rows, title));
          await folder.writeJson("summary.json", summary);
          return summary;
        },
      );
      const { label, predicted, selfSimilarity } = summary.test;
      const list = (found: readonly Neighbour[]) =>
        found.map(({ sample, label, similarity }) =>
          `  #${sample}, label ${label}: ${formatShare(similarity / selfSimilarity)}`
        );
      report(json, summary, [
        ...describeChoice("samples", summary.choice),
        `test sample ${test}: label ${label}, predicted ${predicted}, self-similarity ${
          selfSimilarity.toPrecision(4)
        }`,
        summary.helps.length > 0
          ? `help it most, of ${summary.samples} training samples, in shares of its self-similarity:`
          : `none of ${summary.samples} training samples helps it`,
        ...list(summary.helps),
        summary.hurts.length > 0 ? "hurt it most:" : "none hurts it",
        ...list(summary.hurts),
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/** A training sample and its similarity to the test sample, an entry of the kernel. */
interface Neighbour {
  readonly sample: number;
  readonly label: number;
  readonly similarity: number;
}

/** Ranks the training samples of the largest positive and of the most negative similarity; ties go to the lower index. */
function rankNeighbours(similarity: Float32Array, train: Dataset, top: number) {
  const all = Array.from(
    similarity,
    (value, position): Neighbour => ({
      sample: indexSample(train, position),
      label: train.labels[position],
      similarity: value,
    }),
  ).sort((a, b) => b.similarity - a.similarity || a.sample - b.sample);
  return {
    helps: all.filter(({ similarity }) => similarity > 0).slice(0, top),
    hurts: all.filter(({ similarity }) => similarity < 0)
      .sort((a, b) => a.similarity - b.similarity || a.sample - b.sample).slice(0, top),
  };
}

/** Formats 0.123 as `+12.3%`. */
function formatShare(share: number): string {
  return `${share > 0 ? "+" : ""}${(share * 100).toFixed(1)}%`;
}
