/**
 * Samples by class: drawing equally many of each, and counting them.
 *
 * @module
 */
import { type Dataset, drawStratified, nameClass, takeSamples } from "../../../mod.ts";
import { describeName } from "../../../engine/options.ts";
import { SettingError } from "../experiment.ts";

/**
 * Draws `size` samples of each of the first classes, one class after the other, by the sample seed alone.
 *
 * @param key setting that says how many
 * @throws {SettingError} if a class has fewer.
 */
export function drawFromClasses(
  data: Dataset,
  classes: number,
  size: number,
  { key, sampleSeed: seed }: { readonly key: string; readonly sampleSeed: number },
): Dataset {
  const chosen = Array.from({ length: classes }, (_, label) => {
    const own = [...data.labels.keys()].filter((i) => data.labels[i] === label);
    if (own.length < size) {
      throw new SettingError(
        key,
        `at most ${own.length}, the samples of class ${
          describeName(nameClass(data, label))
        } in ${data.name}`,
      );
    }
    const members = { ...takeSamples(data, own), indices: Int32Array.from(own) };
    return [...drawStratified(members, size, { seed }).indices!];
  });
  return takeSamples(data, chosen.flat());
}

/** Samples of each class, `[classes]`. */
export function countLabels(labels: ArrayLike<number>, classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const label of Array.from(labels)) counts[label]++;
  return counts;
}
