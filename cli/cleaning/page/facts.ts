/**
 * What the page of `clean` shows, in the form that its script reads: positions, names and rounded numbers, everything else is looked up.
 *
 * @module
 */
import { type Dataset, hashDataset, indexSample, nameClass } from "../../../mod.ts";
import type { Findings, Suspect, Witness } from "../findings.ts";

/** Number of the first entries of each list that are shown with pictures. */
export const PICTURED = 1000;

/** Most samples of which every one has a picture, to be shown where it is pointed at. */
export const ALL_PICTURED = 5000;

/** Most members of a group of copies, and most witnesses on a side, that are shown. */
export const SHOWN_COPIES = 12;
export const SHOWN_WITNESSES = 4;

/** Most classes of the map, and most points of the scatter. */
const MAPPED_CLASSES = 100;
const MOST_POINTS = 60_000;

/** Contents of the page's `facts`. Numbers that do not exist are `null`. */
export interface Facts {
  /** SHA-256 of the data set, under which decisions are remembered. */
  readonly key: string;
  /** Name of each class. */
  readonly classes: readonly string[];
  /** Whether samples are rows of a table: texts stand for them, not pictures. */
  readonly isTable: boolean;
  /** Given label of each sample. */
  readonly labels: readonly number[];
  /** Index of each sample in the whole split; absent where it is the position. */
  readonly indices?: readonly number[];
  /** File of each sample that is listed, by its position; absent where samples are no files. */
  readonly files?: Readonly<Record<number, string>>;
  readonly suspects: readonly SuspectFacts[];
  readonly groups: readonly (readonly CopyFacts[])[];
  readonly outliers: readonly OutlierFacts[];
  readonly redundant: readonly RedundantFacts[];
  readonly map: MapFacts;
  readonly points: PointFacts;
}

/** A label that a person should look at; witnesses are of the first ones alone. */
export interface SuspectFacts {
  readonly position: number;
  /** Whether the evidence against its label is strong. */
  readonly isStrong: boolean;
  readonly suggested: number;
  readonly score: number | null;
  readonly loss: number | null;
  readonly own: number | null;
  readonly speakFor: readonly WitnessFacts[];
  readonly speakAgainst: readonly WitnessFacts[];
}

/** Position and cosine. */
export type WitnessFacts = readonly [position: number, cosine: number | null];

/** A member of a group of copies; the first is kept. */
export interface CopyFacts {
  readonly position: number;
  readonly kind: "kept" | "exact" | "near";
  readonly similarity: number | null;
}

/** A sample that resembles no class. */
export interface OutlierFacts {
  readonly position: number;
  readonly nearest: number;
  readonly similarity: number | null;
}

/** A sample, the one that makes it redundant, and by which ratio. */
export interface RedundantFacts {
  readonly position: number;
  readonly partner: number;
  readonly ratio: number | null;
}

/** How classes resemble one another, of the most confused ones where there are many. */
export interface MapFacts {
  /** Classes in rows and columns, in increasing order. */
  readonly classes: readonly number[];
  /** Samples of each row's class that were taken for each column's. */
  readonly taken: readonly (readonly number[])[];
  /** Samples of each row's class that were judged. */
  readonly judged: readonly number[];
  /** Mean similarity of each row's class to each column's. */
  readonly similarity: readonly (readonly (number | null)[])[];
}

/** Points of the scatter: base64 of float32 in little-endian order. */
export interface PointFacts {
  /** Every `step`-th sample is a point. */
  readonly step: number;
  readonly difficulty: string;
  readonly redundancy: string;
}

/** Gathers what the page shows. */
export function gatherFacts(findings: Findings): Facts {
  const { data, suspects, strongSuspects, duplicates, outliers, redundant } = findings;
  const strong = new Set(strongSuspects);
  const facts = {
    key: hashDataset(data),
    classes: Array.from({ length: data.classes }, (_, label) => nameClass(data, label)),
    isTable: data.shape[0] === 1 && data.shape[1] === 1,
    labels: Array.from(data.labels),
    ...data.indices && { indices: Array.from(data.labels, (_, n) => indexSample(data, n)) },
    suspects: suspects.map((suspect, rank) => describeSuspect(suspect, rank, strong.has(suspect))),
    groups: duplicates.map((group) =>
      group.map(({ position, kind, similarity }) => ({
        position,
        kind,
        similarity: kind === "near" ? roundDown(similarity) : round(similarity),
      }))
    ),
    outliers: outliers.map(({ position, nearestClass, similarity }) => ({
      position,
      nearest: nearestClass,
      similarity: round(similarity),
    })),
    redundant: redundant.slice(0, PICTURED).map(({ position, partner, ratio }) => ({
      position,
      partner,
      ratio: round(ratio),
    })),
    map: describeMap(findings),
    points: describePoints(findings),
  };
  const files = listFiles(data, facts);
  return files ? { ...facts, files } : facts;
}

function describeSuspect(suspect: Suspect, rank: number, isStrong: boolean): SuspectFacts {
  const { position, suggested, score, loss, ownClassSimilarity } = suspect;
  const describe = (witnesses: readonly Witness[]) =>
    witnesses.slice(0, rank < PICTURED ? SHOWN_WITNESSES : 0)
      .map(({ position, cosine }): WitnessFacts => [position, round(cosine)]);
  return {
    position,
    isStrong,
    suggested,
    score: round(score),
    loss: round(loss),
    own: round(ownClassSimilarity),
    speakFor: describe(suspect.witnessesFor),
    speakAgainst: describe(suspect.witnessesAgainst),
  };
}

/** Positions that the lists of the page name, with those that are shown beside them apart. */
export function listPositions(
  { suspects, groups, outliers, redundant }: Pick<
    Facts,
    "suspects" | "groups" | "outliers" | "redundant"
  >,
): { readonly judged: number[][]; readonly beside: number[] } {
  return {
    judged: [
      suspects.map(({ position }) => position),
      groups.flatMap((group) => group.map(({ position }) => position)),
      outliers.map(({ position }) => position),
    ],
    beside: [
      ...suspects.flatMap(({ speakFor, speakAgainst }) =>
        [...speakFor, ...speakAgainst].map(([position]) => position)
      ),
      ...redundant.flatMap(({ position, partner }) => [position, partner]),
    ],
  };
}

function listFiles(
  { files, labels }: Dataset,
  lists: Pick<Facts, "suspects" | "groups" | "outliers" | "redundant">,
): Record<number, string> | undefined {
  if (!files) return undefined;
  const { judged, beside } = listPositions(lists);
  const listed = labels.length <= ALL_PICTURED ? labels.keys() : [...judged.flat(), ...beside];
  return Object.fromEntries(Array.from(listed, (position) => [position, files[position]]));
}

function describeMap({ data, confusion, classSimilarity }: Findings): MapFacts {
  const size = data.classes;
  const all = Array.from({ length: size }, (_, label) => label);
  const take = (row: number) => Array.from(confusion.subarray(row * size, (row + 1) * size));
  const rows = all.map(take);
  const mistaken = all.map((label) =>
    rows.reduce(
      (sum, row, other) => other === label ? sum : sum + row[label] + rows[label][other],
      0,
    )
  );
  const classes = all.toSorted((a, b) => mistaken[b] - mistaken[a] || a - b)
    .slice(0, MAPPED_CLASSES).sort((a, b) => a - b);
  return {
    classes,
    taken: classes.map((row) => classes.map((column) => rows[row][column])),
    judged: classes.map((row) => rows[row].reduce((sum, count) => sum + count, 0)),
    similarity: classes.map((row) =>
      classes.map((column) => round(classSimilarity[row * size + column]))
    ),
  };
}

function describePoints({ data, difficulty, redundancy }: Findings): PointFacts {
  const step = Math.ceil(data.labels.length / MOST_POINTS);
  const pack = (values: ArrayLike<number>) => {
    const taken = Array.from(values).filter((_, n) => n % step === 0);
    const bytes = new DataView(new ArrayBuffer(taken.length * 4));
    taken.forEach((value, n) => bytes.setFloat32(n * 4, value, true));
    return new Uint8Array(bytes.buffer).toBase64();
  };
  return { step, difficulty: pack(difficulty), redundancy: pack(redundancy) };
}

/** Rounds down to four decimals: what is not quite 1 is not shown as 1. */
function roundDown(value: number): number | null {
  return Number.isFinite(value) ? Math.floor(value * 1e4) / 1e4 : null;
}

/** Rounds to four digits; `null` for what is no finite number, as JSON has it. */
function round(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : null;
}
