/**
 * The stages of the networks: from images to answers, the host's part included.
 *
 * @module
 */
import type { Dataset } from "../../engine/data/dataset.ts";
import { drawDigits } from "../../engine/data/digits.ts";
import { computeGram } from "../../engine/kernel/gram.ts";
import { computeSelfSimilarity } from "../../engine/kernel/self_similarity.ts";
import type { NetworkDefinition } from "../../engine/network/definition.ts";
import { checkNetwork, type Network } from "../../engine/network/network.ts";
import { layOutRow } from "../../engine/rows/layout.ts";
import type { Rows } from "../../engine/rows/rows.ts";
import { computeClassSimilarity } from "../../engine/samples/class_similarity.ts";
import { clusterSamples } from "../../engine/samples/fpc.ts";
import { findNearest } from "../../engine/samples/nearest.ts";
import { findRedundant } from "../../engine/samples/redundancy.ts";
import { relateSamples } from "../../engine/samples/relations.ts";
import type { Device } from "../open.ts";
import { clock, type Item, type Trial } from "./ladder.ts";
import { type StageName, STAGES } from "./report.ts";
import type { Sizes, Stage } from "./stage.ts";

/** Digits have so many. */
const CLASSES = 10;

/** One stage for each network. */
export function listRoads({ networks, samples }: Sizes): Stage[] {
  return networks.map((definition): Stage => ({
    name: STAGES.find((name) => name === definition.name) as StageName,
    share: 4,
    list: (device, stack) => stack.use(new Road(device, definition, samples)).list(),
  }));
}

/** An analysis of the rows of some digits. */
interface Analysis {
  readonly name: string;
  /** The power of the number of samples with which its time grows. */
  readonly growth: number;
  readonly run: (rows: Rows, data: Dataset) => Promise<unknown>;
  /** What it holds beside the rows, where that is much. */
  readonly bytes?: (count: number) => number;
}

const ANALYSES: readonly Analysis[] = [
  { name: "redundant samples", growth: 2, run: (rows) => findRedundant(rows) },
  { name: "relations", growth: 2, run: (rows) => relateSamples(rows) },
  { name: "10 nearest samples", growth: 2, run: (rows) => findNearest(rows, 10) },
  {
    name: "clusters, ratio 0.02",
    growth: 2,
    run: (rows) => clusterSamples(rows, { ratio: 0.02 }),
  },
  {
    name: "clusters per class, ratio 0.1",
    growth: 2,
    run: (rows, { labels }) => clusterSamples(rows, { ratio: 0.1, perClass: labels }),
  },
  { name: "self-similarities", growth: 1, run: (rows) => computeSelfSimilarity(rows) },
  {
    name: "class similarities",
    growth: 2,
    run: (rows, { labels }) => computeClassSimilarity(rows, labels, CLASSES),
  },
  {
    name: "the kernel to the host",
    growth: 2,
    run: (rows) => computeGram(rows),
    bytes: (count) => 4 * count ** 2,
  },
];

/** A network, and the rows of the digits that were projected with it. */
class Road implements Disposable {
  readonly #network: Network;
  readonly #rows = new Map<number, Rows>();
  /** Numbers of a row. */
  readonly #length: number;

  constructor(
    private readonly device: Device,
    definition: NetworkDefinition,
    private readonly samples: readonly number[],
  ) {
    const network = device.engine.network(definition, { seed: 0, classes: CLASSES });
    this.#network = network;
    checkNetwork(network);
    this.#length = layOutRow(network.layers).length;
  }

  list(): Item[] {
    const { engine } = this.device;
    const network = this.#network;
    const train = (data: Dataset) => engine.train(network, data, { epochs: 1, batch: 128 });
    return [
      this.#pass("an epoch of training, batches of 128", train),
      this.#pass("projection", (data) => this.#project(data)),
      this.#pass("inference", (data) => engine.logits(network, data)),
      this.#pass("gradient norms", (data) => engine.gradientNorms(network, data)),
      ...ANALYSES.map((analysis) => this.#analyse(analysis)),
    ];
  }

  [Symbol.dispose](): void {
    for (const rows of this.#rows.values()) rows.dispose();
    this.#network.dispose();
  }

  /** What goes over the images once. */
  #pass(name: string, run: (data: Dataset) => Promise<unknown>): Item {
    return {
      name,
      unit: "images/s",
      work: (count) => 1000 * count,
      sizes: this.samples,
      growth: 1,
      shape: (N) => ({ N }),
      bytes: (count) => 4 * count * this.#length,
      open: (count) => {
        const data = drawDigits("train", { size: count });
        return repeat(() => run(data));
      },
    };
  }

  /** Rows of some digits are kept for the analyses. */
  async #project(data: Dataset): Promise<void> {
    const count = data.labels.length;
    this.#rows.get(count)?.dispose();
    this.#rows.set(count, await this.device.engine.project(this.#network, data));
  }

  #analyse({ name, growth, run, bytes = () => 0 }: Analysis): Item {
    return {
      name,
      unit: "ms",
      work: () => 1,
      sizes: this.samples,
      growth,
      shape: (N) => ({ N }),
      bytes,
      obstacle: (count) => this.#rows.has(count) ? undefined : "its rows were not projected",
      open: (count) => {
        const data = drawDigits("train", { size: count });
        return repeat(() => run(this.#rows.get(count)!, data));
      },
    };
  }
}

/** What waits for the device itself. */
function repeat(work: () => Promise<unknown>): Trial {
  const run = async (repetitions: number) => {
    for (let i = 0; i < repetitions; i++) await work();
  };
  return { run: (repetitions) => clock(() => run(repetitions)), [Symbol.dispose]: () => {} };
}
