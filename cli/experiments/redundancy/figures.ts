/**
 * Tables and figures of `redundancy`.
 *
 * @module
 */
import type { ArmResult } from "../../comparison.ts";
import type { Figure, Table } from "../experiment.ts";
import { drawSubsets, tabulateArms, tabulateTests } from "../shared/arms.ts";
import { KERNEL_NAMES, KERNELS } from "../shared/paper.ts";
import { RULES } from "../shared/settings.ts";
import { type Kept, nameKept, nameRandom, WHOLE } from "./measure.ts";
import type { Settings } from "./settings.ts";

/** Counts the redundant samples by kernel and rule. */
export function countRedundant({ trainSize: count }: Settings, kept: Kept) {
  return KERNELS.flatMap((kernel) =>
    RULES.map((rule) => {
      const left = kept[kernel][rule].length;
      return {
        kernel: KERNEL_NAMES[kernel],
        rule,
        redundant: count - left,
        "redundant (%)": 100 * (count - left) / count,
        kept: left,
      };
    })
  );
}

/** Tables of what is redundant, and of how well every arm learns. */
export function tabulateRedundancy(
  redundant: ReturnType<typeof countRedundant>,
  results: readonly ArmResult[],
): Table[] {
  return [
    {
      name: "redundant",
      caption: "Redundant samples by kernel and rule",
      rows: redundant,
    },
    tabulateTests(results, [
      [WHOLE, nameKept("lpntk")],
      [WHOLE, nameKept("pntk")],
      [nameKept("lpntk"), nameRandom("lpntk")],
      [nameKept("pntk"), nameRandom("pntk")],
      [nameKept("lpntk"), nameKept("pntk")],
    ]),
    ...tabulateArms(results),
  ];
}

/** Figures, one for each kernel. */
export async function drawRedundancy(
  settings: Settings,
  results: readonly ArmResult[],
): Promise<Figure[]> {
  const figures = await Promise.all(KERNELS.map((kernel) => {
    const names = [WHOLE, nameKept(kernel), nameRandom(kernel)];
    return drawSubsets(results.filter(({ name }) => names.includes(name)), settings, {
      name: `accuracy_${kernel}`,
      what: `on the whole training set, without the samples that are redundant under ${
        KERNEL_NAMES[kernel]
      }, and on as many drawn at random`,
    });
  }));
  return figures.flat();
}
