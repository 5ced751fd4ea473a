/**
 * Checks of the analyses of a kernel: integers, which have to be those that the float64 twins find in the device's own kernel.
 *
 * @module
 */
import { clusterSamples, findNearest, findRedundant, relateSamples, type Rows } from "../../mod.ts";
import {
  centroidCount,
  farthestPointClusters,
  nearestSamples,
  redundant,
  relatePairs,
} from "../../engine/reference/relations.ts";
import { type Check, check, share } from "./checks.ts";
import { SAMPLES } from "./probes.ts";

const RATIO = 0.2;
const NEAREST = 3;
/** Powers of two, whose products are exact. */
const THRESHOLDS = { threshold: 0.5, epsilon: 0.125 };

/**
 * Checks every analysis of rows; without rows, or with a kernel that is not finite, all checks fail.
 *
 * @param gram the kernel of the rows, `[N, N]`
 */
export async function testAnswers(rows: Rows | undefined, gram: Float32Array): Promise<Check[]> {
  const given = gram.length > 0 && gram.every(Number.isFinite) ? rows : undefined;
  const test = (kernels: string, measure: (rows: Rows, gram: Float32Array) => Promise<number>) =>
    check(kernels, async () => given ? await measure(given, gram) : NaN, 0);
  return [
    await test("tile_maximum", compareRedundant),
    await test("tile_relations", compareRelations),
    await test("tile_nearest", compareNearest),
    await test("fpc_gather, fpc_assign, fpc_select", compareClusters),
  ];
}

async function compareRedundant(rows: Rows, gram: Float32Array): Promise<number> {
  return share([
    [await findRedundant(rows), redundant(gram, SAMPLES)],
    [await findRedundant(rows, { rule: "later" }), redundant(gram, SAMPLES, "later")],
  ]);
}

async function compareRelations(rows: Rows, gram: Float32Array): Promise<number> {
  const { counts } = await relateSamples(rows, THRESHOLDS);
  const { threshold, epsilon: tolerance } = THRESHOLDS;
  const expected = relatePairs(gram, SAMPLES, { threshold, tolerance });
  return share([[Object.values(counts), Object.values(expected.counts)]]);
}

async function compareNearest(rows: Rows, gram: Float32Array): Promise<number> {
  const { samples, similarities } = await findNearest(rows, NEAREST);
  const expected = nearestSamples(gram, SAMPLES, NEAREST);
  return share([
    [samples, expected.flat()],
    [similarities, expected.flatMap((own, i) => own.map((j) => gram[i * SAMPLES + j]))],
  ]);
}

async function compareClusters(rows: Rows, gram: Float32Array): Promise<number> {
  const clusters = await clusterSamples(rows, { ratio: RATIO });
  const expected = farthestPointClusters(gram, SAMPLES, centroidCount(RATIO, SAMPLES));
  return share([
    [clusters.centroids, expected.centroids],
    [clusters.assignment, expected.assignment],
  ]);
}
