/**
 * Labels that look wrong to one network.
 *
 * @module
 */
import type { Dataset } from "../../data/dataset.ts";
import type { Engine } from "../../engine.ts";
import type { CallOptions } from "../../gpu/pace.ts";
import type { Network } from "../../network/network.ts";
import { refuseSurplus } from "../../options.ts";
import { scoreLogits } from "../../samples/scores.ts";
import { softmax } from "./folds.ts";
import { type LabelIssues, rankLabels } from "./label_ranking.ts";

/**
 * Ranks the labels of a data set by the cross-entropy of a network as it is, over the classes of the data set where the network has more. Labels that
 * it has learnt by heart it doubts few of; for those `findLabelIssues` trains networks of its own.
 *
 * @throws {DataError} if a label is beyond the network's classes, or the samples have another shape.
 */
export async function judgeLabels(
  engine: Engine,
  network: Network,
  data: Dataset,
  options: CallOptions = {},
): Promise<LabelIssues> {
  refuseSurplus("judge labels", arguments, 4);
  const { labels, classes } = data;
  const all = await engine.logits(network, data, options);
  const logits = new Float32Array(labels.length * classes);
  const probabilities = new Float64Array(logits.length);
  for (let n = 0; n < labels.length; n++) {
    const row = all.subarray(n * network.classes, n * network.classes + classes);
    logits.set(row, n * classes);
    probabilities.set(softmax(row), n * classes);
  }
  const { loss: losses } = scoreLogits(logits, labels);
  return { ...rankLabels(probabilities, probabilities, data), losses };
}
