/**
 * What `clean` found of a data set: the one form that tables, the page and the terminal are made from. Positions are those in `data`.
 *
 * @module
 */
import type { CopyGroup, Dataset, LabelIssues } from "../../mod.ts";
import type { LargestClass } from "./largest_class.ts";
import type { Verification } from "./verification.ts";

/** What was found of the training samples. */
export interface Findings {
  readonly data: Dataset;
  /** Every sample, the most suspicious label first. */
  readonly labels: readonly Suspect[];
  /** Samples of `labels` whose labels a person should look at, in that order: those with substantial evidence for another label. */
  readonly suspects: readonly Suspect[];
  /** Suspects with strong evidence: those that `keep` leaves out. */
  readonly strongSuspects: readonly Suspect[];
  /** How often the judges agree with the labels, beside one who always names the largest class; suspects are guesses where that one is not beaten. */
  readonly agreement: LabelIssues["agreement"] & LargestClass;
  readonly duplicates: readonly CopyGroup[];
  /** Samples that resemble no class, the strangest first; without suspects, which stand among `labels`. */
  readonly outliers: readonly Outlier[];
  /** Number of suspects that resemble no class either; `keep` leaves these out, too. */
  readonly outlyingSuspects: number;
  /** Samples that another one makes redundant, the most redundant first. */
  readonly redundant: readonly Redundant[];
  /** Mean similarity of the samples of each class, in rows, to those of each class, in columns, `[C, C]` f64, of the cosine kernel; NaN for none. */
  readonly classSimilarity: Float64Array;
  /** Out-of-fold predictions: how many samples of each class, in rows, the networks take for each class, in columns, `[C, C]`. */
  readonly confusion: Int32Array;
  /** Loss of each sample summed over training, `[N]`, in nats. */
  readonly difficulty: ArrayLike<number>;
  /** Largest `kappa(x, x') / kappa(x, x)` over the other samples x', `[N]`. */
  readonly redundancy: ArrayLike<number>;
  /** Positions of the samples to keep, in increasing order: no copies, no outliers, no suspects with strong evidence. */
  readonly keep: Int32Array;
  /** Whether cleaning raises the accuracy, where that was measured. */
  readonly verification?: Verification;
  /** What was done, for people, in order: the network and why, folds, epochs, seconds. */
  readonly steps: readonly string[];
  /** What to do next: sentences, each with its command if there is one. */
  readonly next: readonly { readonly text: string; readonly command?: string }[];
}

/** A sample and what is said of its label. */
export interface Suspect {
  readonly position: number;
  readonly given: number;
  /** Best supported label; equal to `given` where that is best. */
  readonly suggested: number;
  readonly score: number;
  readonly loss: number;
  /** Mean cosine to the other samples of its given class; NaN if it is alone. */
  readonly ownClassSimilarity: number;
  /** Samples of the suggested class that it resembles most once it is labelled so, the most similar first. */
  readonly witnessesFor: readonly Witness[];
  /** Samples that contradict the given label most, the most contradictory first. */
  readonly witnessesAgainst: readonly Witness[];
}

/** A sample that speaks for or against a label. */
export interface Witness {
  readonly position: number;
  /** Cosine of the kernel. */
  readonly cosine: number;
}

/** A sample that resembles no class. */
export interface Outlier {
  readonly position: number;
  /** The class that it resembles most, and how much: mean cosine. */
  readonly nearestClass: number;
  readonly similarity: number;
  readonly score: number;
}

/** A sample that another one makes redundant. */
export interface Redundant {
  readonly position: number;
  readonly partner: number;
  /** `kappa(x, x') / kappa(x, x)`, above 1. */
  readonly ratio: number;
}
