/**
 * Removing redundant samples (section 4.2, figure 2): under lpNTK, under pNTK, and as many at random.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { findRedundant, keepRandom, keepUnflagged, type RedundancyRule } from "../../mod.ts";
import type { Arm } from "../comparison.ts";
import { formatPercent } from "../report/statistics.ts";
import type { Experiment, Run } from "./experiment.ts";
import { findReported } from "./paper.ts";
import {
  claimTest,
  DEGREES_NOTE,
  drawSubsets,
  loadSubsetData,
  SUBSET_BASES,
  SUBSET_SETTINGS,
  type SubsetData,
  tabulateArms,
  tabulateTests,
  trainKernelNetwork,
  trainSubsetArms,
} from "./subsets.ts";

const KINDS = ["lpntk", "pntk"] as const;
type Kind = typeof KINDS[number];

const RULES = ["any", "later"] as const satisfies readonly RedundancyRule[];

const SETTINGS = z.strictObject({
  ...SUBSET_SETTINGS,
  /** `any`: redundant by any other sample, as the text says; `later`: by later ones alone, as in the authors' code. */
  rule: z.enum(RULES).default("any"),
});

type Settings = z.output<typeof SETTINGS>;

/** The paper's t-tests of the whole set against what is left. */
const PAPER_TESTS = {
  lpntk: { mnist: "t(19) = 0.293, p = 0.774", cifar10: "t(19) = 1.562, p = 0.153" },
  pntk: { mnist: "t(19) = 13.718, p << 0.01", cifar10: "t(19) = 26.252, p << 0.01" },
};

const NAMES = { lpntk: "lpNTK", pntk: "pNTK" } as const;

/** Section 4.2. */
export const redundancy: Experiment<typeof SETTINGS> = {
  name: "redundancy",
  source: "section 4.2, figure 2",
  about: "train without the samples that lpNTK or pNTK calls redundant",
  settings: SETTINGS,
  // the paper's numbers come from the authors' code
  quick: { ...SUBSET_BASES.mnist.quick, rule: "later" },
  paper: { ...SUBSET_BASES.mnist.paper, rule: "later" },
  byData: {
    cifar10: {
      default: SUBSET_BASES.cifar10.default,
      quick: { ...SUBSET_BASES.cifar10.quick, rule: "later" },
      paper: { ...SUBSET_BASES.cifar10.paper, rule: "later" },
    },
  },

  async run(run) {
    const { settings } = run;
    const reported = {
      lpntk: findReported(PAPER_TESTS.lpntk, settings.data),
      pntk: findReported(PAPER_TESTS.pntk, settings.data),
    };
    const data = await loadSubsetData(run);
    const kept = await chooseKept(run, data);
    const count = settings.trainSize;
    const arms: Arm[] = [
      { name: "whole" },
      ...KINDS.flatMap((kind): Arm[] => {
        const keep = kept[kind][settings.rule];
        return [
          { name: `without ${NAMES[kind]}-redundant`, keep: () => keep },
          {
            name: `random, as many as ${NAMES[kind]} leaves`,
            keep: (seed) => keepRandom(count, keep.length, seed),
          },
        ];
      }),
    ];
    const results = await trainSubsetArms(run, data, arms);
    const [whole, lpntk, lpntkRandom, pntk, pntkRandom] = arms.map(({ name }) => name);
    const draw = (kind: Kind, names: readonly string[]) =>
      drawSubsets(results.filter(({ name }) => names.includes(name)), settings, {
        name: `accuracy_${kind}`,
        what: `on the whole training set, without the samples that are redundant under ${
          NAMES[kind]
        }, and on as many drawn at random`,
      });
    const rows = KINDS.flatMap((kind) =>
      RULES.map((rule) => {
        const left = kept[kind][rule].length;
        return {
          kernel: NAMES[kind],
          rule,
          redundant: count - left,
          "redundant (%)": 100 * (count - left) / count,
          kept: left,
        };
      })
    );
    const describeShare = (rule: RedundancyRule) =>
      formatPercent(1 - kept.lpntk[rule].length / count);
    return {
      metrics: { redundant: rows, results },
      tables: [
        {
          name: "redundant",
          caption: "Redundant samples by kernel and rule",
          rows,
        },
        tabulateTests(results, [
          [whole, lpntk],
          [whole, pntk],
          [lpntk, lpntkRandom],
          [pntk, pntkRandom],
          [lpntk, pntk],
        ]),
        ...tabulateArms(results),
      ],
      figures: [
        ...await draw("lpntk", [whole, lpntk, lpntkRandom]),
        ...await draw("pntk", [whole, pntk, pntkRandom]),
      ],
      claims: [
        claimTest(results, {
          what: "samples that are redundant under lpNTK are not needed",
          paper: `the whole set is not significantly better: ${reported.lpntk}`,
          pair: [whole, lpntk],
          expected: "not better",
        }),
        claimTest(results, {
          what: "samples that are redundant under pNTK are needed",
          paper: `the whole set is significantly better: ${reported.pntk}`,
          pair: [whole, pntk],
          expected: "better",
        }),
        claimTest(results, {
          what: "what lpNTK leaves is better to learn from than as many samples at random",
          paper: "not compared; follows if the removed ones are redundant and others are not",
          pair: [lpntk, lpntkRandom],
          expected: "better",
        }),
      ],
      notes: [
        `Redundant under lpNTK are ${describeShare("any")} by the text's rule 'any' and ${
          describeShare("later")
        } by the authors' rule 'later'; this run trains on what '${settings.rule}' leaves.`,
        DEGREES_NOTE,
        "Every arm trains for the same number of epochs, as in the paper: smaller sets take fewer steps.",
        "Random subsets are drawn anew for each seed; the redundant samples are those of one kernel.",
      ],
    };
  },
};

/** Indices of the samples that are not redundant, by kernel and rule. */
type Kept = Record<Kind, Record<RedundancyRule, number[]>>;

async function chooseKept(run: Run<Settings>, data: SubsetData): Promise<Kept> {
  const { engine, definition } = run;
  const { train } = data;
  const weights = await trainKernelNetwork(run, data);
  return await run.step("kept", async (onProgress) => {
    using network = engine.network(definition, weights, train.shape);
    const kept = {} as Kept;
    for (const kind of KINDS) {
      using rows = await engine.project(network, train, { seeds: kind });
      kept[kind] = {} as Kept[Kind];
      for (const rule of RULES) {
        kept[kind][rule] = Array.from(
          keepUnflagged(await findRedundant(rows, { rule }, onProgress)),
        );
      }
    }
    return kept;
  });
}
