/**
 * Samples that are not redundant, and the arms that are trained on them.
 *
 * @module
 */
import { dropFlagged, findRedundant, keepRandom, type RedundancyRule } from "../../../mod.ts";
import type { Arm } from "../../comparison.ts";
import type { Run } from "../experiment.ts";
import { type Kernel, KERNEL_NAMES, KERNELS } from "../shared/paper.ts";
import { RULES } from "../shared/settings.ts";
import { type SubsetData, trainKernelNetwork } from "../shared/subsets.ts";
import type { Settings } from "./settings.ts";

/** Indices of the samples that are not redundant, by kernel and rule. */
export type Kept = Record<Kernel, Record<RedundancyRule, number[]>>;

/** Finds the samples that are not redundant. */
export async function chooseKept(run: Run<Settings>, data: SubsetData): Promise<Kept> {
  const { engine, definition } = run;
  const { train } = data;
  const weights = await trainKernelNetwork(run, data);
  return await run.step("kept", async (onProgress) => {
    using network = engine.network(definition, weights, train.shape);
    const kept = {} as Kept;
    for (const kernel of KERNELS) {
      using rows = await engine.project(network, train, { kind: kernel });
      kept[kernel] = {} as Kept[Kernel];
      for (const rule of RULES) {
        kept[kernel][rule] = Array.from(
          dropFlagged(await findRedundant(rows, { rule, onProgress })),
        );
      }
    }
    return kept;
  });
}

/** Names of the arms: the whole set, what a kernel leaves, and as many at random. */
export const WHOLE = "whole";
export const nameKept = (kernel: Kernel) => `without ${KERNEL_NAMES[kernel]}-redundant`;
export const nameRandom = (kernel: Kernel) => `random, as many as ${KERNEL_NAMES[kernel]} leaves`;

/** Lists the arms: the whole set, then for each kernel what it leaves and as many at random. */
export function listArms({ trainSize, rule }: Settings, kept: Kept): Arm[] {
  return [
    { name: WHOLE },
    ...KERNELS.flatMap((kernel): Arm[] => {
      const keep = kept[kernel][rule];
      return [
        { name: nameKept(kernel), keep: () => keep },
        { name: nameRandom(kernel), keep: (seed) => keepRandom(trainSize, keep.length, seed) },
      ];
    }),
  ];
}
