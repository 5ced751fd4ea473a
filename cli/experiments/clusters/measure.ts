/**
 * Networks whose training measures how difficult samples are, and the clusterings under the best one's kernel.
 *
 * @module
 */
import {
  clusterSamples,
  countMembers,
  type Dataset,
  NonFiniteError,
  type Rows,
} from "../../../mod.ts";
import { summarise } from "../../report/statistics.ts";
import type { Run } from "../experiment.ts";
import { listKeys } from "../shared/records.ts";
import { offsetSeed } from "../shared/settings.ts";
import { type Trained, trainOnce } from "../shared/training.ts";
import type { Settings } from "./settings.ts";

/** Kernels, and whether each is normalised. */
const KERNELS = { plain: false, cosine: true } as const;
const SCOPES = ["per class", "global"] as const;

/** One clustering. */
export interface Clustering {
  readonly kernel: keyof typeof KERNELS;
  readonly scope: typeof SCOPES[number];
  /** Samples in each cluster, the largest first. */
  readonly sizes: readonly number[];
  /** Number of clusters that together are the head: one, or one for each class. */
  readonly headCount: number;
  /** Whether each sample is in the head, `[N]`. */
  readonly isHead: readonly boolean[];
}

/** Trains a network for each seed; those that failed are left out. */
export async function trainSeeds(
  run: Run<Settings>,
  data: Dataset,
  validation: Dataset,
): Promise<Trained[]> {
  const { seeds, seed: first, epochs, batch, learningRate, augment } = run.settings;
  const trained: Trained[] = [];
  for (let i = 0; i < seeds; i++) {
    const seed = offsetSeed(first, i);
    const options = { validation, epochs, batch, learningRate, augment };
    const network = await trainOnce(run, { name: `${seed}`, data, seed, ...options });
    if (network) trained.push(network);
  }
  if (trained.length === 0) {
    throw new NonFiniteError(
      "Cannot cluster: got no network that learnt anything, need one; lower learningRate or raise epochs",
    );
  }
  return trained;
}

/** Each sample's difficulty in nats, averaged over the networks, `[N]`. */
export function averageDifficulty(trained: readonly Trained[]): number[] {
  return trained[0].difficulty.map((_, sample) =>
    summarise(trained.map(({ difficulty }) => difficulty[sample])).mean!
  );
}

/** Accuracy on the validation set at the epoch whose weights were kept. */
export function findAccuracy({ epochs, bestEpoch }: Trained): number {
  return epochs[bestEpoch - 1].validationAccuracy!;
}

/** Clusters the samples with every kernel in every scope, under the network that does best on the validation set. */
export async function clusterAll(
  run: Run<Settings>,
  data: Dataset,
  trained: readonly Trained[],
): Promise<Clustering[]> {
  const { engine, definition, settings: { ratio } } = run;
  const { weights } = trained.reduce((a, b) => findAccuracy(b) > findAccuracy(a) ? b : a);
  using network = engine.network(definition, weights, data.shape);
  const clusterings: Clustering[] = [];
  for (const kernel of listKeys(KERNELS)) {
    using projected = new DisposableStack();
    let rows: Rows | undefined;
    for (const scope of SCOPES) {
      const name = `clusters-${kernel}-${scope.replace(" ", "_")}`;
      const clustering = await run.step(name, async (onProgress): Promise<Clustering> => {
        const normalise = KERNELS[kernel];
        rows ??= projected.use(await engine.project(network, data, { normalise }));
        const perClass = scope === "per class" ? data.labels : undefined;
        const clusters = await clusterSamples(rows, { ratio, perClass, onProgress });
        const { heads, assignment } = clusters;
        return {
          kernel,
          scope,
          sizes: Array.from(countMembers(clusters)).sort((a, b) => b - a),
          headCount: heads.length,
          isHead: Array.from(assignment, (cluster) => heads.includes(cluster)),
        };
      });
      clusterings.push(clustering);
    }
  }
  return clusterings;
}
