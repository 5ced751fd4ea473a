/**
 * Search of a data set for what is wrong with it: from the options of `clean` to its folder.
 *
 * @module
 */
import {
  chooseFolds,
  DataError,
  type Dataset,
  type Engine,
  hashDataset,
  hashWeights,
  indexSample,
  loadWeights,
} from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { writeComparison } from "../comparison.ts";
import { identifyModel } from "../model.ts";
import { noteEmptyClasses, noteLoneClasses } from "../notes.ts";
import type { OutputFolder } from "../output.ts";
import { say } from "../print.ts";
import {
  type DataOptions,
  describeChoice,
  loadSamples,
  loadTrainingSets,
  noteOtherSamples,
} from "../samples.ts";
import { UsageError } from "../usage.ts";
import { type Found, investigate } from "./investigation.ts";
import { chooseJudge, type Judge, type JudgeOptions } from "./judge.ts";
import { recommend } from "./next_steps.ts";
import { renderCleaning } from "./page/page.ts";
import { countFindings, describeFindings, describeNext, type Report } from "./summary.ts";
import { writeTables } from "./tables.ts";
import { describeVerification, type Verification, verify } from "./verification.ts";

/** Options of a search. */
export interface SearchOptions extends DataOptions, JudgeOptions {
  readonly seed: number;
  readonly verify?: true;
  /** Memory that the process and the device may take together, in bytes. */
  readonly memory?: number;
}

/** Searches the training samples, and writes what was found. */
export async function searchInto(folder: OutputFolder, settings: SearchOptions): Promise<Report> {
  const { data: name, seed } = settings;
  const samples = await loadSamples(settings);
  const { data, choice } = samples;
  refuseFew(data, settings);
  const judge = await chooseJudge(settings, data);
  const { weights } = judge;
  folder.declare({
    samples: hashDataset(data),
    network: await identifyModel(judge.model),
    weights: weights && hashWeights(await loadWeights(weights)),
  });
  if (weights !== undefined) await noteOtherSamples(weights, samples, settings);
  noteEmptyClasses(data);
  using engine = await openAdapter({ memoryBytes: settings.memory });
  const found = await investigate(engine, data, judge, seed);
  noteLoneClasses(data, found.keep);
  const verification = settings.verify
    ? await verifyFound(engine, judge, found, settings, folder)
    : undefined;
  const findings = {
    ...found,
    verification,
    next: recommend(found, { ...settings, out: folder.path }),
  };
  await writeTables(folder, findings);
  await folder.writeText("index.html", await renderCleaning(findings));
  const summary = {
    model: judge.model,
    weights,
    data: name,
    seed,
    adapter: engine.adapter.name,
    choice,
    ...countFindings(findings),
    classes: data.classNames ?? data.classes,
    steps: findings.steps,
    verification,
  };
  await folder.writeJson("summary.json", summary);
  return {
    summary,
    lines: [
      ...describeChoice("samples", choice),
      ...describeFindings(findings),
      ...verification ? describeVerification(verification) : [],
      ...describeNext(findings, folder.path),
    ],
  };
}

/**
 * @throws {DataError} if all samples have one label, so that no other can be suggested
 * @throws {UsageError} if there are fewer samples than parts to judge them in
 */
function refuseFew({ name, labels }: Dataset, { weights }: SearchOptions): void {
  const action = `Cannot look for wrong labels in ${name}`;
  if (labels.every((label) => label === labels[0])) {
    throw new DataError(`${action}: got samples of one class, need at least 2 classes`);
  }
  const folds = chooseFolds(labels.length);
  if (weights === undefined && labels.length < folds) {
    throw new UsageError(
      `${action}: got ${labels.length} samples, need at least ${folds}, which are judged in as many parts; or --weights of a network that has learnt others`,
    );
  }
}

/**
 * Verifies what was found on the test split. Without one, a part of the samples is held out, and what to remove is found anew among the others, so
 * that nothing of the part that is tested on has a say in it.
 *
 * @returns undefined, with a line on standard error, where all samples are kept, or none
 */
async function verifyFound(
  engine: Engine,
  judge: Judge,
  found: Found,
  settings: SearchOptions,
  folder: OutputFolder,
): Promise<Verification | undefined> {
  const { train, test } = await loadTrainingSets(settings);
  folder.declare({ test: hashDataset(test.data) });
  const isAll = train.data.labels.length === found.data.labels.length;
  const { keep } = isAll ? found : await investigate(engine, train.data, judge, settings.seed);
  if (keep.length === 0 || keep.length === train.data.labels.length) {
    say(
      `lpntk: left out ${
        keep.length === 0 ? "all" : "none"
      } of the samples, so that there is nothing to verify`,
    );
    return undefined;
  }
  const { verification, results } = await verify(engine, judge, {
    train: train.data,
    test,
    keep,
    suspectsInTest: isAll ? undefined : countSuspectsIn(test.data, found),
  });
  const title = `${judge.model} on ${settings.data}, cleaned and as given`;
  await writeComparison(folder, results, title);
  await folder.writeSamples(test.data, "test_samples.npy");
  return verification;
}

/** Counts the suspects among held-out samples. */
function countSuspectsIn(held: Dataset, { data, suspects }: Found): number {
  const indices = new Set(held.indices);
  return suspects.filter(({ position }) => indices.has(indexSample(data, position))).length;
}
