/**
 * The samples of the head cluster, and the arms that are trained on some of them or of all.
 *
 * @module
 */
import { clusterSamples, keepRandom } from "../../../mod.ts";
import type { Arm } from "../../comparison.ts";
import type { Run } from "../experiment.ts";
import type { Pair } from "../shared/arms.ts";
import { listHead, type SubsetData, trainKernelNetwork } from "../shared/subsets.ts";
import type { Settings } from "./settings.ts";

/**
 * Finds the samples of the head cluster, or of each class's.
 *
 * @throws {RangeError} if it holds fewer than `size` samples.
 */
export async function findHead(
  run: Run<Settings>,
  data: SubsetData,
  size: number,
): Promise<number[]> {
  const { engine, definition, settings: { ratio, perClass } } = run;
  const { train } = data;
  const weights = await trainKernelNetwork(run, data);
  const head = await run.step("head", async (onProgress) => {
    using network = engine.network(definition, weights, train.shape);
    using rows = await engine.project(network, train);
    const options = perClass ? { ratio, perClass: train.labels } : { ratio };
    return listHead(await clusterSamples(rows, { ...options, onProgress }));
  });
  if (head.length >= size) return head;
  throw new RangeError(
    `Cannot draw from the head: got ${head.length} samples in it, need ${size}; lower shares or ratio`,
  );
}

/** Description of the head, in words. */
export function describeHead({ perClass }: Settings): string {
  return perClass ? "the classes' largest clusters" : "the largest cluster";
}

/** Lists the two arms of each share: samples of the head, and of everything. */
export function listArms(
  { shares, trainSize }: Settings,
  sizes: readonly number[],
  head: readonly number[],
): Arm[] {
  return shares.flatMap((share, i): Arm[] => {
    const [ofHead, ofEverything] = nameArms(share);
    return [
      {
        name: ofHead,
        keep: (seed) => keepRandom(head.length, sizes[i], seed).map((at) => head[at]),
      },
      { name: ofEverything, keep: (seed) => keepRandom(trainSize, sizes[i], seed) },
    ];
  });
}

/** Names of a share's arms. */
export function nameArms(share: number): Pair {
  return [`${formatShare(share)}% from the head`, `${formatShare(share)}% from everything`];
}

/** Formats 0.05 as `5`. */
export function formatShare(share: number): string {
  return String(Number((100 * share).toPrecision(6)));
}
