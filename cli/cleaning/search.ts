/**
 * Search of a data set for what is wrong with it: from the options of `clean` to its folder.
 *
 * @module
 */
import { type Dataset, type Engine, hashDataset, hashWeights, loadWeights } from "../../mod.ts";
import { openAdapter } from "../adapter.ts";
import { writeComparison } from "../comparison.ts";
import { identifyModel } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
import type { OutputFolder } from "../output.ts";
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
import { countFindings, describeFindings, type Report } from "./summary.ts";
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
  refuseOneClass(data);
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
  const verification = settings.verify
    ? await verifyFound(engine, judge, found, settings, folder)
    : undefined;
  const findings = { ...found, next: recommend(found, { data: name, out: folder.path }) };
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
    ],
  };
}

/** @throws {UsageError} if all samples have one label: no other can be suggested. */
function refuseOneClass({ name, labels }: Dataset): void {
  if (labels.some((label) => label !== labels[0])) return;
  throw new UsageError(
    `Cannot look for wrong labels in ${name}: got samples of one class, need at least 2`,
  );
}

/**
 * Verifies what was found on the test split. Without one, a part of the samples is held out, and what to remove is found anew among the others, so
 * that nothing of the part that is tested on has a say in it.
 */
async function verifyFound(
  engine: Engine,
  judge: Judge,
  found: Found,
  settings: SearchOptions,
  folder: OutputFolder,
): Promise<Verification> {
  const { train, test } = await loadTrainingSets(settings);
  folder.declare({ test: hashDataset(test.data) });
  const isAll = train.data.labels.length === found.data.labels.length;
  const { keep } = isAll ? found : await investigate(engine, train.data, judge, settings.seed);
  const sets = { train: train.data, test: test.data, keep };
  const { verification, results } = await verify(engine, judge, sets);
  await writeComparison(
    folder,
    results,
    `${judge.model} on ${settings.data}, cleaned and as given`,
  );
  return verification;
}
