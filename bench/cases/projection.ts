/** Signed projections of whole images. @module */
import { loadDataset } from "../../engine/data/named.ts";
import { computeSelfSimilarity } from "../../engine/kernel/self_similarity.ts";
import { lenet5 } from "../../engine/network/models.ts";
import { type Bench, group } from "../case.ts";
import { measure } from "../measure.ts";
import type { Result } from "../report.ts";

const IMAGES = 2000;

/** Times the way from images to packed rows: forward and backward passes, packing, and the check that all is finite. */
export async function* benchProjection(bench: Bench): AsyncGenerator<Result> {
  const { engine } = bench;
  const data = await loadDataset("digits", "train", { size: IMAGES });
  using network = engine.network(lenet5, { seed: 0, classes: data.classes });
  const computed = `LeNet-5's rows of ${group(IMAGES)} images`;
  const { ours } = await measure(bench, computed, {
    ours: {
      run: async (repetitions) => {
        for (let i = 0; i < repetitions; i++) (await engine.project(network, data)).dispose();
      },
      read: async () => {
        using rows = await engine.project(network, data);
        return await computeSelfSimilarity(rows);
      },
    },
  });
  const work = { speed: "images_per_s", count: IMAGES, formula: "each forward and back" } as const;
  yield { case: "projection", computed, work, ours, peers: {} };
}
