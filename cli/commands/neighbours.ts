/** `lpntk neighbours`. @module */

import type { Command } from "npm:@commander-js/extra-typings@15.1.0";
import {
  computeGram,
  computeSelfSimilarity,
  type Dataset,
  hashDataset,
  indexSample,
  takeSamples,
} from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { hashNetwork, loadNetwork, measureSketch, project } from "../inputs.ts";
import {
  describeLabel,
  describeSample,
  findPosition,
  identifySample,
  nameLabel,
  printLabel,
  printSample,
  roundToFloat32,
} from "../known_samples.ts";
import { noteEmptyClasses } from "../notes.ts";
import { describeChoice, loadTrainingSets, toLookup } from "../samples.ts";
import { OutputFolder } from "../output.ts";
import { drawSamples, pictureSample, type SampleRow } from "../report/contact_sheet.ts";
import { encodeCsv } from "../../engine/formats/csv.ts";
import { renderNeighbours } from "../report/neighbours_page.ts";
import { chooseWeights } from "../model.ts";
import { UsageError } from "../usage.ts";
import { describeSketch, options, report } from "./shared.ts";
import { parseCount, parseSamples } from "./values.ts";

/** Adds the command. */
export function addNeighbours(program: Command): void {
  program.command("neighbours")
    .description("list the training samples that help and hurt test samples most")
    .addOption(options.model().makeOptionMandatory())
    .addOption(options.weights())
    .addOption(options.data().makeOptionMandatory())
    .addOption(options.size())
    .addOption(options.strict())
    .addOption(options.kind())
    .addOption(options.layers())
    .addOption(options.parameters())
    .addOption(options.trainSize())
    .addOption(options.sampleSeed())
    .addOption(options.first())
    .requiredOption(
      "--test <sample>",
      "test sample, by its index in its whole split or its file; repeat it for several",
      parseSamples,
    )
    .option("--top <k>", "number of training samples of either kind to list", parseCount, 10)
    .addOption(options.memory())
    .addOption(options.sketch())
    .addOption(
      options.out(
        "folder for index.html, neighbours.csv, summary.json, similarity.npy, samples.npy with a table of it, and neighbours.svg, of several samples neighbours-INDEX.svg",
      ),
    )
    .addOption(options.json())
    .action(async ({ out, json, ...given }) => {
      const settings = { ...given, weights: chooseWeights(given) };
      const { model, data, kind, top } = settings;
      const summary = await OutputFolder.fill(
        out,
        { command: "neighbours", options: settings },
        async (folder) => {
          const sets = await loadTrainingSets(settings);
          const { data: train, choice } = sets.train;
          const lookup = toLookup(sets.test);
          const positions = settings.test.map((text) =>
            findPosition(text, lookup, "find the neighbours")
          );
          refuseTwice(positions, settings.test);
          const judged = takeSamples(sets.test.data, positions);
          using engine = await openAdapter({ memoryBytes: settings.memory });
          using network = await loadNetwork(engine, settings, sets.train);
          folder.declare({
            ...await hashNetwork(network, model),
            samples: hashDataset(train),
            test: hashDataset(judged),
          });
          const logits = await engine.logits(network, judged);
          const sketch = await measureSketch(engine, network, judged, settings, train);
          using rows = await project(engine, network, judged, settings, train.labels.length);
          using columns = await project(engine, network, train, settings);
          noteEmptyClasses(train);
          const similarity = await computeGram(rows, columns);
          const self = await computeSelfSimilarity(rows);
          const count = train.labels.length;
          const results = positions.map((_, t): Result => ({
            position: t,
            predicted: findLargest(logits.subarray(t * network.classes, (t + 1) * network.classes)),
            self: self[t],
            ...rankNeighbours(similarity.subarray(t * count, (t + 1) * count), top),
          }));
          const described = results.map((result) => describeResult(result, judged, train));
          const summary = {
            model,
            data,
            kind,
            layers: settings.layers,
            parameters: settings.parameters,
            adapter: engine.adapter.name,
            ...described.length === 1 ? described[0] : { tests: described },
            samples: count,
            choice,
            sketch,
          };
          await folder.writeMatrix("similarity.npy", similarity, [results.length, count]);
          await folder.writeSamples(train);
          const tables = results.map((result) => tabulateResult(result, train));
          await folder.writeText("neighbours.csv", encodeNeighbours(tables, judged));
          const pictures = results.map((result) => pictureResult(result, judged, train));
          for (const [t, rows] of pictures.entries()) {
            const index = indexSample(judged, t);
            const title = `Test sample ${index} of ${data} under ${model}`;
            const which = pictures.length > 1 ? `-${index}` : "";
            await folder.writeText(`neighbours${which}.svg`, drawSamples(rows, title));
          }
          const page = renderNeighbours({
            model,
            data,
            notes: [...describeChoice("training samples", choice), ...describeSketch(sketch)],
            tests: results.map((result, t) => ({
              ...headResult(result, judged),
              pictures: pictures[t],
              rows: tables[t],
            })),
          });
          await folder.writeText("index.html", page);
          await folder.writeJson("summary.json", summary);
          return { ...summary, described };
        },
      );
      const { described, ...shown } = summary;
      report(json, shown, [
        ...describeChoice("samples", summary.choice),
        ...described.flatMap((result) => listNeighbours(result, summary.samples)),
        ...describeSketch(summary.sketch),
        `wrote ${out}`,
      ]);
    });
}

/** A training sample by its position, and its similarity to the test sample, an entry of the kernel. */
interface Neighbour {
  readonly position: number;
  readonly similarity: number;
}

/** A test sample by its position, and what was found of it. */
interface Result {
  readonly position: number;
  readonly predicted: number;
  readonly self: number;
  readonly helps: readonly Neighbour[];
  readonly hurts: readonly Neighbour[];
}

/** @throws {UsageError} if a test sample is named twice. */
function refuseTwice(positions: readonly number[], texts: readonly string[]): void {
  const at = positions.findIndex((position, i) => positions.indexOf(position) < i);
  if (at < 0) return;
  const first = texts[positions.indexOf(positions[at])];
  throw new UsageError(
    `got --test ${first} and --test ${texts[at]}, which are one sample, need each once`,
  );
}

function findLargest(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}

/** Ranks the training samples of the largest positive and of the most negative similarity; ties go to the lower index. */
function rankNeighbours(row: Float32Array, top: number) {
  const all = Array.from(row, (similarity, position): Neighbour => ({ position, similarity }))
    .sort((a, b) => b.similarity - a.similarity || a.position - b.position);
  return {
    helps: all.filter(({ similarity }) => similarity > 0).slice(0, top),
    hurts: all.filter(({ similarity }) => similarity < 0)
      .sort((a, b) => a.similarity - b.similarity || a.position - b.position).slice(0, top),
  };
}

/** The part of the summary about one test sample. */
function describeResult(result: Result, judged: Dataset, train: Dataset) {
  const { label: predicted, class: predictedClass } = describeLabel(train, result.predicted);
  const list = (found: readonly Neighbour[]) =>
    found.map(({ position, similarity }) => ({ ...describeSample(train, position), similarity }));
  return {
    test: {
      ...describeSample(judged, result.position),
      predicted,
      ...predictedClass !== undefined && { predictedClass },
      selfSimilarity: result.self,
    },
    helps: list(result.helps),
    hurts: list(result.hurts),
  };
}

/** Rows of the table about one test sample, those that help before those that hurt. */
function tabulateResult({ self, helps, hurts }: Result, train: Dataset) {
  return Object.entries({ helps, hurts }).flatMap(([effect, found]) =>
    found.map(({ position, similarity }, at) => ({
      effect,
      rank: at + 1,
      ...identifySample(train, position),
      similarity: roundToFloat32(similarity),
      share: roundToFloat32(Math.fround(similarity / self)),
    }))
  );
}

/** Encodes the tables of all test samples as one. */
function encodeNeighbours(
  tables: readonly ReturnType<typeof tabulateResult>[],
  judged: Dataset,
): string {
  const rows = tables.flatMap((table, t) => {
    const { index, file, label } = identifySample(judged, t);
    const test = { test_index: index, test_file: file, test_label: label };
    return table.map((row) => ({ ...test, ...row }));
  });
  return encodeCsv(rows, COLUMNS);
}

/** Columns of the table. */
const COLUMNS = [
  "test_index",
  "test_file",
  "test_label",
  "effect",
  "rank",
  "index",
  "file",
  "label",
  "similarity",
  "share",
];

/** Heading and facts of a test sample's part of the page. */
function headResult({ position, predicted, self }: Result, judged: Dataset) {
  const { index, file, label } = identifySample(judged, position);
  return {
    index,
    heading: file === null ? `Test sample ${index}` : file,
    facts: {
      index,
      file,
      label,
      predicted: nameLabel(judged, predicted),
      "self-similarity": self,
    },
  };
}

/** Pictures of a test sample and its neighbours, in rows. */
function pictureResult(
  { position, self, helps, hurts }: Result,
  judged: Dataset,
  train: Dataset,
): SampleRow[] {
  const pictures = (found: readonly Neighbour[]) =>
    found.map(({ position, similarity }) =>
      pictureSample(train, position, formatShare(similarity / self))
    );
  return [
    { caption: "Test sample", images: [pictureSample(judged, position)] },
    { caption: "Helps it most, of its self-similarity", images: pictures(helps) },
    { caption: "Hurts it most, of its self-similarity", images: pictures(hurts) },
  ].filter(({ images }) => images.length > 0);
}

/** Lines about one test sample, among `count` training samples. */
function listNeighbours(
  { test, helps, hurts }: ReturnType<typeof describeResult>,
  count: number,
): string[] {
  const predicted = printLabel({ label: test.predicted, class: test.predictedClass });
  const list = (found: typeof helps) =>
    found.map((neighbour) =>
      `  ${printSample(neighbour)}, label ${printLabel(neighbour)}: ${
        formatShare(neighbour.similarity / test.selfSimilarity)
      }`
    );
  return [
    `test sample ${printSample(test)}: label ${
      printLabel(test)
    }, predicted ${predicted}, self-similarity ${test.selfSimilarity.toPrecision(4)}`,
    helps.length > 0
      ? `help it most, of ${count} training samples, in shares of its self-similarity:`
      : `none of ${count} training samples helps it`,
    ...list(helps),
    hurts.length > 0 ? "hurt it most:" : "none hurts it",
    ...list(hurts),
  ];
}

/** Formats 0.123 as `+12.3%`. */
function formatShare(share: number): string {
  return `${share > 0 ? "+" : ""}${(share * 100).toFixed(1)}%`;
}
