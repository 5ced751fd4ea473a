/**
 * What an experiment is: settings, work in steps that can be resumed, and findings that are judged by a stated rule.
 *
 * @module
 */
import type { z } from "npm:zod@4.6.7";
import type { Dataset, Engine, NetworkDefinition, OnProgress, Split, Weights } from "../../mod.ts";

/** Settings to start from, which those of a call override. */
export type Base = "default" | "quick" | "paper";

/** One experiment of the paper, or of ours. */
export interface Experiment<Schema extends z.ZodObject = z.ZodObject> {
  /** Name on the command line. */
  readonly name: string;
  /** Section of the paper, for example `section 3.2, algorithm 1, figure 1`. */
  readonly source: string;
  /** One line for `lpntk experiment list`. */
  readonly about: string;
  /** Settings: a strict zod object whose keys all have defaults. */
  readonly settings: Schema;
  /** Settings that end within three minutes on two CPU cores, four on CIFAR-10. */
  readonly quick: Partial<z.input<Schema>>;
  /** The paper's setting. */
  readonly paper: Partial<z.input<Schema>>;
  /** Overrides of the defaults by each base on data sets that need other settings, by name, in place of the two above. */
  readonly byData?: Readonly<Record<string, Readonly<Record<Base, Partial<z.input<Schema>>>>>>;
  /**
   * Runs the experiment.
   *
   * @throws {SettingError} before any work, if settings that are each in range do not go together, or not with the data.
   */
  run(run: Run<z.output<Schema>>): Promise<Findings>;
}

/** Settings, engine, data and storage that an experiment works with. */
export interface Run<Settings> {
  readonly settings: Settings;
  readonly engine: Engine;
  /**
   * The network that the setting `model` names; the hash of its file goes into the record.
   *
   * @throws {Error} if the experiment has no such setting.
   */
  readonly definition: NetworkDefinition;
  /**
   * Loads samples of the data set that the settings name, a part drawn class by class by the setting `sampleSeed`; their hash goes into the record,
   * and the indices of a part into the run folder.
   *
   * @param sizes settings by their keys, `{ trainSize }`, whose sum is the number of samples; all samples without it
   * @throws {SettingError} if there are fewer; the error names the first key.
   */
  data(split: Split, sizes?: Readonly<Record<string, number>>): Promise<Dataset>;
  /** Keeps the indices of samples that the experiment chose itself in the run folder, as `samples.npy` or under another name. */
  keepIndices(data: Dataset, name?: string): Promise<void>;
  /**
   * Does a piece of work once: its value is kept in the run folder as JSON, and read from there when the run is resumed. What is returned has always
   * been through JSON: plain objects, arrays (`Array.from` a typed one) and finite numbers.
   *
   * @param name unique among the run's steps; becomes a file name
   */
  step<T>(name: string, work: (onProgress: OnProgress) => Promise<T>): Promise<T>;
  /** Does the same for weights, which are kept as safetensors. */
  weights(name: string, work: (onProgress: OnProgress) => Promise<Weights>): Promise<Weights>;
  /**
   * Records a part that failed to train (a loss that is not finite, accuracy at chance): named in the report, and left out of every mean. Call it
   * outside of steps, on what they returned: a step that is done already does not run again.
   */
  exclude(part: string, reason: string): void;
}

/** Results of an experiment. */
export interface Findings {
  /** Contents of `metrics.json`. */
  readonly metrics: Readonly<Record<string, unknown>>;
  /** Tables, each a CSV file and a table of the page. */
  readonly tables: readonly Table[];
  /** Figures, each an SVG file, a PNG file and a figure of the page. */
  readonly figures: readonly Figure[];
  /** Statements of the paper beside what was found. */
  readonly claims: readonly Claim[];
  /** Notes that a reader needs to judge this, in plain words. */
  readonly notes: readonly string[];
}

/** A table. */
export interface Table {
  /** A file name without extension. */
  readonly name: string;
  readonly caption: string;
  /** Rows of the table, all with the same keys, which head the columns and hold the units. */
  readonly rows: readonly Readonly<Record<string, string | number | boolean | null>>[];
}

/** A figure. */
export interface Figure {
  /** A file name without extension. */
  readonly name: string;
  readonly caption: string;
  readonly svg: string;
}

/** Whether a finding agrees with the paper. */
export type Verdict = "agrees" | "differs" | "not comparable at this size";

/** One statement of the paper beside ours, with a verdict by a rule that was stated before. */
export interface Claim {
  /** Statement, for example `rho falls as subsets shrink`. */
  readonly what: string;
  /** Result in the paper. */
  readonly paper: string;
  /** Result found here, with its interval or deviation. */
  readonly ours: string;
  readonly verdict: Verdict;
  /** Rule of the verdict, so that a reader can check it from `ours`. */
  readonly rule: string;
}

/** A setting that is in range by itself but does not go with another one, or with the data. */
export class SettingError extends RangeError {
  override name = "SettingError";
  constructor(
    /** Key of the setting. */
    readonly key: string,
    /** Value that it needs, for example `at most trainSize`. */
    readonly need: string,
  ) {
    super(`Cannot run: need ${key} ${need}`);
  }
}
