/** What is kept by default, and which commands are recommended, on findings made by hand. @module */
import assert from "node:assert/strict";
import { chooseKept, preferUnsuspected } from "../../../cli/cleaning/default_rule.ts";
import { describeAgreement, type Judge } from "../../../cli/cleaning/judge.ts";
import { compareWithLargestClass } from "../../../cli/cleaning/largest_class.ts";
import {
  decideBy,
  describeVerdicts,
  type Verification,
} from "../../../cli/cleaning/verification.ts";
import { recommend } from "../../../cli/cleaning/next_steps.ts";
import type { Found } from "../../../cli/cleaning/investigation.ts";
import type { CopyGroup } from "../../../mod.ts";

const GROUPS: readonly CopyGroup[] = [
  [
    { position: 1, kind: "kept", similarity: 1 },
    { position: 4, kind: "near", similarity: 0.75 },
    { position: 6, kind: "exact", similarity: 1 },
  ],
  [
    { position: 2, kind: "kept", similarity: 1 },
    { position: 3, kind: "exact", similarity: 1 },
  ],
];

Deno.test("of copies the first that is no suspect is kept, the first of all where all are", () => {
  assert.deepEqual(preferUnsuspected(GROUPS, [5, 0]), GROUPS);
  assert.deepEqual(preferUnsuspected(GROUPS, [1, 2, 3]), [
    [
      { position: 4, kind: "kept", similarity: 1 },
      { position: 1, kind: "near", similarity: 0.75 },
      { position: 6, kind: "exact", similarity: 1 },
    ],
    GROUPS[1],
  ]);
});

Deno.test("suspects, outliers and copies are left out, each once", () => {
  const kept = chooseKept(9, { suspects: [2, 8], outliers: [8, 0], duplicates: GROUPS });
  assert.deepEqual([...kept], [1, 5, 7]);
  assert.equal(chooseKept(3, { suspects: [], outliers: [], duplicates: [] }).length, 3);
});

Deno.test("judges who are right no more often than one who names the largest class only guess", () => {
  // 60 of 100 are of class 1; scipy.stats.binomtest(69, 100, 0.6, "greater").pvalue is 0.040, of 70 it is 0.025 and of 71 it is 0.015
  const data = { labels: Int32Array.from({ length: 100 }, (_, n) => Number(n < 60)), classes: 3 };
  const compare = (share: number) => compareWithLargestClass(share, data);
  assert.deepEqual(compare(0.69), { largestClass: 0.6, isBeaten: false });
  assert.deepEqual(compare(0.71), { largestClass: 0.6, isBeaten: true });
  const say = (pooled: number, weights?: string) =>
    describeAgreement({ weights } as Judge, { pooled, networks: 0.26, ...compare(pooled) });
  assert.equal(
    say(0.71),
    "The judges agree with 71 % of the labels, the networks alone with 26 %.",
  );
  assert.equal(
    say(0.61, "w.safetensors"),
    "The network agrees with 61 % of the labels; to name the largest class always agrees with 60 %, so that suspects are guesses.",
  );
});

Deno.test("each comparison has a verdict of its own, and none where the networks have learnt nothing", () => {
  const intervals = [
    { value: 0.05, low: 0.01, high: 0.09 },
    { value: -0.05, low: -0.09, high: -0.01 },
    { value: 0.01, low: -0.01, high: 0.03 },
    { value: 0, low: null, high: null },
  ];
  const decide = (isBeaten: boolean) =>
    intervals.map((accuracy) => decideBy(accuracy, { isBeaten }));
  const learnt = decide(true);
  assert.deepEqual(learnt.map(({ verdict }) => verdict), [
    "helped",
    "hurt",
    "undecided",
    "undecided",
  ]);
  assert.ok(decide(false).every(({ verdict }) => verdict === "undecided"));
  const [againstGiven, againstRandom] = [learnt[0], learnt[2]];
  const found = { againstGiven, againstRandom, largestClass: 0.25, isBeaten: true };
  assert.deepEqual(describeVerdicts(found as unknown as Verification), [
    "cleaning helped against the data as given: 5.00 [1.00, 9.00] percentage points of accuracy",
    "undecided against as many removed at random: 1.00 [-1.00, 3.00] percentage points of accuracy",
  ]);
  assert.match(
    describeVerdicts({ ...found, isBeaten: false } as unknown as Verification)[0],
    /^undecided: the networks barely beat naming the largest class, .* 25 %/,
  );
});

Deno.test("commands are recommended as a shell takes them, and none where nothing was found", () => {
  const found = {
    data: { labels: new Int32Array(9) },
    suspectCount: 1,
    strongCount: 0,
    duplicates: [],
    outliers: [],
    redundant: [],
    keep: new Int32Array(9),
  } as unknown as Found;
  const call = { data: "my pictures/it's", size: [32, 16], model: "mlp", out: "o" } as const;
  assert.deepEqual(recommend(found, call).map(({ command }) => command), [
    String
      .raw`lpntk clean --apply decisions.csv --data 'my pictures/it'\''s' --size 32x16 --out o_cleaned`,
    String
      .raw`lpntk clean --data 'my pictures/it'\''s' --size 32x16 --model mlp --verify --out o_verified`,
  ]);
  assert.equal(recommend(found, { ...call, verify: true }).length, 1);
  const [nothing, ...others] = recommend({ ...found, suspectCount: 0 }, call);
  assert.deepEqual([nothing.command, others], [undefined, []]);
});
