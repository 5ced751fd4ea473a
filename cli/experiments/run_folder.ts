/**
 * The folder of one run of an experiment: its configuration, its environment, every step that is done, and what was found.
 *
 * @module
 */
import { parse } from "npm:smol-toml@1.9.1";
import manifest from "../../deno.json" with { type: "json" };
import {
  type Dataset,
  type Engine,
  FileError,
  hashDataset,
  loadWeights,
  type NetworkDefinition,
  type OnProgress,
  saveWeights,
  type Split,
  UnknownDatasetError,
  type Weights,
  writeNpy,
} from "../../mod.ts";
import { removeIfThere, removePartials, writeWhole } from "../../engine/files/file.ts";
import { LOCK_FILE, refuseOther, refuseOtherFiles } from "../../engine/files/folder.ts";
import { Lease } from "../../engine/files/lease.ts";
import { readData } from "../data_set.ts";
import { encodeSamples, nameTable } from "../known_samples.ts";
import { identifyModel, loadDefinition } from "../model.ts";
import { noteEmptyClasses } from "../notes.ts";
import { withProgress } from "../progress.ts";
import { drawApart } from "../samples.ts";
import { encodeCsv } from "../../engine/formats/csv.ts";
import { type Exclusion, renderPage, type Report } from "../report/page.ts";
import { findUsedAdapter } from "../adapter.ts";
import { renderPng } from "../report/png.ts";
import { encodeConfig } from "./config.ts";
import { encodeJson, readJson } from "./json.ts";
import { type Experiment, type Run, SettingError } from "./experiment.ts";

const CONFIG = "config.toml";
const ENVIRONMENT = "environment.json";
const STEPS = "steps";

/** Software, machine and inputs of a run. */
type Environment = {
  readonly lpntk: string;
  readonly deno: string;
  readonly adapter: string;
  /** Interface under WebGPU; undefined if no command has opened the engine. */
  readonly backend?: string;
  readonly system: string;
  readonly cores: number;
  /** Variants of the Gram kernel. */
  readonly gramVariants: string[];
  /** SHA-256 of samples, by split and size. */
  readonly data: Record<string, string>;
  /** Name of the network, or its file with the SHA-256; undefined if the experiment has no setting `model`. */
  model?: string;
};

type Settings = Readonly<Record<string, unknown>>;

/** An open run folder; dispose it to release its lease. */
export class RunFolder {
  readonly #names = new Set<string>();
  readonly #excluded: Exclusion[] = [];
  /** Files that this process wrote. */
  readonly #written = new Set<string>();
  /** Whether the folder holds a step or a result, which stays. */
  #isWorth = false;
  #environments: Environment[] = [];
  #isWorking = false;

  private constructor(
    readonly path: string,
    private readonly experiment: Experiment,
    private readonly settings: Settings,
    private readonly lease: Lease,
  ) {}

  /**
   * Opens a new folder, or one of the same experiment and settings to resume.
   *
   * @throws {FileError} if it holds anything else, or another process is at work in it.
   */
  static async open(path: string, experiment: Experiment, settings: Settings): Promise<RunFolder> {
    const lease = await Lease.take(`${path}/${LOCK_FILE}`, path);
    const folder = new RunFolder(path, experiment, settings, lease);
    try {
      refuseOtherFiles(path, { marker: CONFIG });
      const config = encodeConfig(experiment.name, settings);
      const recorded = await Deno.readTextFile(`${path}/${CONFIG}`).catch(() => undefined);
      folder.#isWorth = recorded !== undefined;
      refuseOther(path, "a run", tryParse(recorded ?? config), parse(config));
      await removePartials(path);
      await folder.#write(CONFIG, config);
      folder.#environments = await readEnvironments(`${path}/${ENVIRONMENT}`);
      return folder;
    } catch (error) {
      folder.dispose();
      throw error;
    }
  }

  /**
   * Runs the experiment and writes what it found; steps that are done already are not done again.
   *
   * @throws {SettingError} if settings do not go together.
   */
  async run(engine: Engine): Promise<Report> {
    const { experiment, settings } = this;
    const environment = this.#enter(engine);
    const definition = await this.#loadNetwork(environment);
    const findings = await experiment.run(this.#offer(engine, environment, definition));
    await this.#saveEnvironment(engine, environment);
    const report = {
      ...experiment,
      settings,
      findings,
      excluded: this.#excluded,
      environments: this.#environments,
    };
    await this.#writeReport(report);
    this.#isWorth = true;
    return report;
  }

  /** Releases the lease, and removes what is in a new folder if no step was done. A second call does nothing. */
  dispose(): void {
    if (!this.#isWorth && this.lease.isOurs()) {
      for (const name of [...this.#written, STEPS]) removeIfThere(`${this.path}/${name}`);
    }
    this.lease.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Makes what an experiment works with. */
  #offer(
    engine: Engine,
    environment: Environment,
    definition: NetworkDefinition | undefined,
  ): Run<Settings> {
    const keep = async <T>(
      file: string,
      work: (onProgress: OnProgress) => Promise<T>,
      write: (path: string, value: T) => Promise<void>,
      read: (path: string) => Promise<T>,
    ): Promise<T> => {
      const name = `${STEPS}/${file}`;
      if (!/^[\w.-]+$/.test(file) || this.#names.has(file)) {
        throw new RangeError(`Cannot begin step ${file}: need a file name of its own`);
      }
      this.#names.add(file);
      const path = `${this.path}/${name}`;
      if (!await isFile(path)) {
        const value = await this.#work(file.replace(/\.\w+$/, ""), work);
        await this.#saveEnvironment(engine, environment);
        await write(this.#claim(name), value);
        this.#isWorth = true;
      }
      return await read(path);
    };
    return {
      settings: this.settings,
      engine,
      get definition() {
        if (definition) return definition;
        throw new Error("Cannot give a network: got no setting model, need one");
      },
      data: (split, sizes) => this.#load(split, sizes, environment),
      keepIndices: (data, name) => this.#keepIndices(data, name),
      step: (name, work) =>
        keep(
          `${name}.json`,
          work,
          (path, value) => writeWhole(path, encodeJson(value)),
          readJson,
        ),
      weights: (name, work) => keep<Weights>(`${name}.safetensors`, work, saveWeights, loadWeights),
      exclude: (part, reason) => {
        if (this.#isWorking) {
          throw new Error(`Cannot exclude ${part} within a step: it would be forgotten`);
        }
        this.#excluded.push({ part, reason });
      },
    };
  }

  /** Does a step's work; an experiment may catch its failure and continue. */
  async #work<T>(label: string, work: (onProgress: OnProgress) => Promise<T>): Promise<T> {
    this.#isWorking = true;
    try {
      return await withProgress(label, "steps", work);
    } finally {
      this.#isWorking = false;
    }
  }

  /** Finds the earlier record of this machine and these versions, or begins a new one. */
  #enter(engine: Engine): Environment {
    const backend = findUsedAdapter()?.backend;
    const here = {
      lpntk: manifest.version,
      deno: Deno.version.deno,
      adapter: engine.adapter.name,
      ...backend === undefined ? {} : { backend },
      system: `${Deno.build.os} ${Deno.build.arch}`,
      cores: navigator.hardwareConcurrency,
    };
    const known = this.#environments.find((other) =>
      Object.entries(here).every(([key, value]) => other[key as keyof typeof here] === value)
    );
    if (known) return known;
    const fresh = { ...here, gramVariants: [], data: {} };
    this.#environments.push(fresh);
    return fresh;
  }

  async #saveEnvironment(engine: Engine, { gramVariants }: Environment): Promise<void> {
    for (const name of engine.gramVariants) {
      if (!gramVariants.includes(name)) gramVariants.push(name);
    }
    await this.#write(ENVIRONMENT, encodeJson(this.#environments));
  }

  /** @throws {FileError} if the setting `model` names a file that is not the one that the run began with, or has no network. */
  async #loadNetwork(environment: Environment): Promise<NetworkDefinition | undefined> {
    const { model } = this.settings;
    if (typeof model !== "string") return undefined;
    const definition = await loadDefinition(model);
    const identity = await identifyModel(model);
    if (this.#environments.some((other) => (other.model ?? identity) !== identity)) {
      throw new FileError(
        this.path,
        `Cannot go on with ${this.path}: got another network in ${model} than the run began with, need the same; choose another --out`,
      );
    }
    environment.model = identity;
    return definition;
  }

  /** @throws {FileError} if the samples are not those that the run began with. */
  async #load(
    split: Split,
    sizes: Readonly<Record<string, number>> | undefined,
    { data }: Environment,
  ): Promise<Dataset> {
    const name = String(this.settings.data);
    const whole = await loadWhole(name, split);
    noteEmptyClasses(whole);
    const size = sizes ? addSizes(sizes, whole) : whole.labels.length;
    const [samples] = drawApart(whole, [size], this.settings);
    const hash = hashDataset(samples);
    const key = `${split} ${samples.labels.length}`;
    const earlier = this.#environments.find((other) => (other.data[key] ?? hash) !== hash);
    if (earlier) {
      throw new FileError(
        this.path,
        `Cannot go on with ${this.path}: got other samples in ${name} (${split}) than the run began with, need the same; choose another --out`,
      );
    }
    data[key] = hash;
    await this.#keepIndices(samples, split === "train" ? undefined : "test_samples.npy");
    return samples;
  }

  /** Writes the indices of samples, and a table that names them; a whole split has none. */
  async #keepIndices(samples: Dataset, name = "samples.npy"): Promise<void> {
    const { indices } = samples;
    if (!indices) return;
    await writeNpy(this.#claim(name), indices, [indices.length]);
    await this.#write(nameTable(name), encodeSamples(samples, [...indices.keys()]));
  }

  async #writeReport(report: Report): Promise<void> {
    const { metrics, claims, tables, figures } = report.findings;
    await this.#write("metrics.json", encodeJson({ ...metrics, excluded: this.#excluded }));
    await this.#write("claims.json", encodeJson(claims));
    for (const { name, rows } of tables) await this.#write(`${name}.csv`, encodeCsv(rows));
    for (const { name, svg } of figures) {
      await this.#write(`${name}.svg`, svg);
      await this.#write(`${name}.png`, await renderPng(svg));
    }
    await this.#write(PAGE, renderPage(report));
  }

  #write(name: string, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return writeWhole(this.#claim(name), bytes);
  }

  /** The path of a file that is to be written. */
  #claim(name: string): string {
    this.lease.check();
    this.#written.add(name);
    return `${this.path}/${name}`;
  }
}

/** @throws {SettingError} if there is no such data set. */
async function loadWhole(data: string, split: Split): Promise<Dataset> {
  try {
    return await readData({ data }, split);
  } catch (error) {
    if (!(error instanceof UnknownDatasetError)) throw error;
    throw new SettingError("data", error.need);
  }
}

/** @throws {SettingError} if the settings ask for more samples than there are. */
function addSizes(
  sizes: Readonly<Record<string, number>>,
  { name, split, labels: { length: count } }: Dataset,
): number {
  const [key, ...others] = Object.keys(sizes);
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  if (total <= count) return total;
  const beside = others.length > 0 ? ` together with ${others.join(" and ")}` : "";
  throw new SettingError(key, `at most ${count}${beside}, the samples of ${name} (${split})`);
}

/** Name of the file with the page of a run. */
export const PAGE = "index.html";

function tryParse(text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch {
    return {};
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isFile === true;
}

async function readEnvironments(path: string): Promise<Environment[]> {
  return await isFile(path) ? await readJson<Environment[]>(path) : [];
}
