/**
 * Labels that look wrong, judged by networks that have not learnt them.
 *
 * @module
 */
import type { Dataset } from "../data/dataset.ts";
import { takeSamples } from "../data/dataset.ts";
import type { Engine } from "../engine.ts";
import { CALL_OPTIONS, type CallOptions } from "../gpu/pace.ts";
import type { NetworkDefinition } from "../network/definition.ts";
import { checkKeys, checkNumber, type OptionNames } from "../options.ts";
import { scoreLogits } from "../samples/scores.ts";
import type { TrainingOptions } from "../training/options.ts";

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
  /** Cross-entropy of each sample's given label under the network that has not learnt it, `[N]` f64, in nats. */
  readonly losses: Float64Array<ArrayBuffer>;
}

const LABEL_ISSUE_OPTIONS: OptionNames<LabelIssueOptions> = {
  folds: true,
  seed: true,
  training: true,
  ...CALL_OPTIONS,
};

/**
 * Ranks the labels of a data set by how little networks that have not learnt them support them: the samples are divided into folds, class by class,
 * and those of each fold are judged by a network that was trained on the others.
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
  const { folds = 5, seed = 0, training, onProgress, signal } = options;
  const count = data.labels.length;
  const isFolds = (value: number) => Number.isInteger(value) && value >= 2 && value <= count;
  checkNumber(action, "folds", folds, isFolds, `an integer from 2 to ${count}, the samples`);
  const logits = new Float32Array(count * data.classes);
  const parts = foldSamples(data, folds);
  for (const [fold, part] of parts.entries()) {
    const others = parts.flatMap((other) => other === part ? [] : other);
    using network = engine.network(definition, { seed, classes: data.classes }, data.shape);
    await engine.train(network, takeSamples(data, others), {
      ...training,
      seed,
      signal,
      onProgress: (done, total) => onProgress?.(fold * total + done, folds * total),
    });
    const judged = await engine.logits(network, takeSamples(data, part), { signal });
    part.forEach((sample, n) => {
      logits.set(
        judged.subarray(n * data.classes, (n + 1) * data.classes),
        sample * data.classes,
      );
    });
  }
  const { loss: losses } = scoreLogits(logits, data.labels);
  const suggested = new Int32Array(count).map((_, n) => {
    const row = logits.subarray(n * data.classes, (n + 1) * data.classes);
    return row.indexOf(Math.max(...row));
  });
  const order = Int32Array.from(losses.keys()).sort((a, b) => losses[b] - losses[a] || a - b);
  return { order, scores: losses, suggested, losses };
}

/** Divides samples into parts of equal size within each class: the samples of a class take turns. */
function foldSamples(data: Dataset, folds: number): number[][] {
  const parts: number[][] = Array.from({ length: folds }, () => []);
  const byClass = Int32Array.from(data.labels.keys()).sort((a, b) =>
    data.labels[a] - data.labels[b] || a - b
  );
  byClass.forEach((sample, turn) => parts[turn % folds].push(sample));
  return parts;
}
