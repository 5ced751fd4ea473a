/** Findings of data sets that are made up, for the page of `clean`. @module */
import { createDataset, type DatasetParts } from "lpntk";
import type { Findings, Suspect } from "../../../cli/cleaning/findings.ts";

/** Numbers from 0 to below 1 that look random, the same in each run. */
export function drawNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Which findings are made up, and how many of each. */
export interface Sizes {
  readonly count: number;
  readonly suspects: number;
  readonly groups: number;
  readonly outliers: number;
  readonly redundant: number;
  readonly classes: number;
}

/** Makes up findings: with samples whose pixels are noise, and no two lists that start with the same sample. */
export function makeFindings(
  { count, suspects, groups, outliers, redundant, classes }: Sizes,
  parts: Partial<DatasetParts> = {},
): Findings {
  const draw = drawNumbers(1000);
  const shape = parts.shape ?? [28, 28, 1];
  const data = createDataset({
    name: "made up",
    split: "train",
    images: parts.images ??
      Uint8Array.from({ length: count * shape[0] * shape[1] * shape[2] }, () => 256 * draw()),
    labels: Array.from({ length: count }, (_, n) => n % classes),
    classes,
    ...parts,
    shape,
  });
  const pick = () => Math.floor(draw() * count);
  const pickWitnesses = () =>
    Array.from({ length: 6 }, () => ({ position: pick(), cosine: draw() }));
  const judge = (position: number): Suspect => ({
    position,
    given: data.labels[position],
    suggested: (data.labels[position] + 1) % classes,
    score: 1 - position / count,
    loss: 10 * draw(),
    ownClassSimilarity: draw() - 0.5,
    witnessesFor: position < suspects ? pickWitnesses() : [],
    witnessesAgainst: position < suspects ? pickWitnesses() : [],
  });
  const labels = Array.from({ length: count }, (_, position) => judge(position));
  const copies = Array.from({ length: groups }, (_, n) => count - 1 - 2 * n);
  return {
    data,
    labels,
    suspects: labels.slice(0, suspects),
    strongSuspects: labels.slice(0, Math.floor(suspects / 4)),
    agreement: { pooled: 0.61, networks: 0.26, largestClass: 0.25, isBeaten: true },
    duplicates: copies.map((position, n) => [
      { position: position - 1, kind: "kept", similarity: 1 },
      { position, kind: n % 2 ? "near" : "exact", similarity: n % 2 ? 0.99996 : 1 },
    ]),
    outliers: Array.from({ length: outliers }, (_, n) => ({
      position: suspects + n,
      nearestClass: pick() % classes,
      similarity: draw(),
      score: 1 - n / count,
    })),
    outlyingSuspects: 0,
    redundant: Array.from({ length: redundant }, (_, n) => ({
      position: suspects + outliers + n,
      partner: pick(),
      ratio: 1 + draw(),
    })),
    classSimilarity: Float64Array.from({ length: classes ** 2 }, draw),
    confusion: Int32Array.from({ length: classes ** 2 }, () => 20 * draw()),
    difficulty: Float64Array.from({ length: count }, () => 0.01 + 10 * draw() ** 4),
    redundancy: Float64Array.from({ length: count }, () => 2 * draw()),
    keep: Int32Array.from(data.labels.keys()),
    steps: ["Trained five networks on four fifths of the samples each.", "Took 12 s."],
    next: [
      { text: "Decide below, and save decisions.csv." },
      {
        text: "Write what was decided:",
        command: "lpntk clean --apply decisions.csv --data . --out cleaned",
      },
    ],
  };
}
