/**
 * Labels that look wrong, judged by networks that have not learnt them and by a kernel from which they are left out.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import type { Engine } from "../engine.ts";
import { CALL_OPTIONS, type CallOptions } from "../gpu/pace.ts";
import type { NetworkDefinition } from "../network/definition.ts";
import { checkKeys, checkNumber, type OptionNames } from "../options.ts";
import type { TrainingOptions } from "../training/options.ts";
import { predictOutOfFolds } from "./folds.ts";
import { predictFromPatches } from "./patch_judge.ts";

/** Options of {@link findLabelIssues}. */
export interface LabelIssueOptions extends CallOptions {
  /** Number of parts of the data set, each judged by a network that was trained on the others, at least 2. Default 5. */
  readonly folds?: number;
  /** Seed of the folds, the networks and their training. Default 0. */
  readonly seed?: number;
  /** How the networks are trained. */
  readonly training?: TrainingOptions;
}

/** How much each label of a data set is doubted, and the label that is best supported instead. */
export interface LabelIssues {
  /** Positions of all samples, `[N]` i32, the most suspicious label first. */
  readonly order: Int32Array<ArrayBuffer>;
  /** How suspicious each label is, `[N]` f64, higher for what is more suspicious. */
  readonly scores: Float64Array<ArrayBuffer>;
  /** Best supported label of each sample, `[N]` i32: the given one where that is best. */
  readonly suggested: Int32Array<ArrayBuffer>;
  /** Cross-entropy of each sample's given label under the networks that have not learnt it, `[N]` f64, in nats. */
  readonly losses: Float64Array<ArrayBuffer>;
}

const LABEL_ISSUE_OPTIONS: OptionNames<LabelIssueOptions> = {
  folds: true,
  seed: true,
  training: true,
  ...CALL_OPTIONS,
};

/**
 * Ranks the labels of a data set by how little they are supported by judges that have not learnt them: networks, each trained on the other folds,
 * and kernel regression over the pictures' patches, from which the sample is left out.
 *
 * @throws {RangeError} if there are fewer samples than folds, or an option is out of range.
 */
export async function findLabelIssues(
  engine: Engine,
  definition: NetworkDefinition,
  data: Dataset,
  options: LabelIssueOptions = {},
): Promise<LabelIssues> {
  const action = `find label issues of ${data.name}`;
  checkKeys(action, options, LABEL_ISSUE_OPTIONS);
  const { folds = 5, seed = 0, training = {}, onProgress, signal } = options;
  const { labels, classes } = data;
  const count = labels.length;
  const isFolds = (value: number) => Number.isInteger(value) && value >= 2 && value <= count;
  checkNumber(action, "folds", folds, isFolds, `an integer from 2 to ${count}, the samples`);
  const byNetworks = await predictOutOfFolds(engine, definition, data, {
    folds,
    rounds: 1,
    seed,
    training,
    signal,
    onProgress,
  });
  const byPatches = await predictFromPatches(engine, data, { seed, signal });
  const support = byNetworks.map((share, at) => (share + byPatches[at]) / 2);
  const suggested = new Int32Array(count);
  const scores = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const row = support.subarray(n * classes, (n + 1) * classes);
    const given = row[labels[n]];
    suggested[n] = row.indexOf(Math.max(...row));
    row[labels[n]] = -Infinity;
    scores[n] = Math.max(...row) - given;
  }
  const losses = Float64Array.from(
    labels,
    (label, n) => -Math.log(byNetworks[n * classes + label]),
  );
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
  return { order, scores, suggested, losses };
}
