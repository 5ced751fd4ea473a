/** What is kept by default, and which commands are recommended, on findings made by hand. @module */
import assert from "node:assert/strict";
import { chooseKept } from "../../../cli/cleaning/default_rule.ts";
import { describeAgreement, type Judge } from "../../../cli/cleaning/judge.ts";
import { compareWithLargestClass } from "../../../cli/cleaning/largest_class.ts";
import {
  decideBy,
  describeVerdicts,
  type Verification,
} from "../../../cli/cleaning/verification.ts";
import { recommend } from "../../../cli/cleaning/next_steps.ts";
import { dropCopies, type Found, splitOutliers } from "../../../cli/cleaning/investigation.ts";
import { describeFindings } from "../../../cli/cleaning/summary.ts";
import { makeFindings } from "./findings.ts";
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

Deno.test("strong suspects and outliers are left out, and of equal copies the first that is trusted is kept", () => {
  const labels = new Int32Array(9);
  const none = { suspects: [], strongSuspects: [], outliers: [], duplicates: [] };
  const choose = (faults: Partial<typeof none> | { duplicates: readonly CopyGroup[] }) => [
    ...chooseKept(labels, { ...none, ...faults }),
  ];
  const duplicates = GROUPS;
  assert.equal(choose({}).length, 9);
  assert.deepEqual(choose({ duplicates }), [0, 1, 2, 5, 7, 8]);
  const strong = { suspects: [2, 8], strongSuspects: [2, 8], outliers: [8, 0] };
  assert.deepEqual([...chooseKept(labels, { ...strong, duplicates })], [1, 3, 5, 7]);
  // an outlier is no reason to lose its copies; weak suspects are kept where there is no better
  const faults = { suspects: [1, 2, 3], strongSuspects: [], outliers: [4], duplicates };
  assert.deepEqual([...chooseKept(labels, faults)], [0, 2, 5, 6, 7, 8]);
});

Deno.test("of copies with two labels none is kept, unless one label alone is not suspected", () => {
  const labels = Int32Array.of(0, 0, 0, 1, 1, 0, 0);
  const none = { strongSuspects: [], outliers: [] };
  const choose = (suspects: number[]) => [
    ...chooseKept(labels, { ...none, suspects, duplicates: GROUPS }),
  ];
  assert.deepEqual(choose([]), [0, 5]);
  assert.deepEqual(choose([4, 2]), [0, 1, 3, 5]);
  assert.deepEqual(choose([1, 6, 2, 3]), [0, 4, 5]);
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

Deno.test("a suspect is no outlier, and outliers keep their order", () => {
  const strange = [5, 2, 8].map((position) => ({
    position,
    nearestClass: 0,
    similarity: 0,
    score: 4,
  }));
  const { outliers, outlyingSuspects } = splitOutliers(strange, Int32Array.of(1, 2));
  assert.deepEqual(outliers.map(({ position }) => position), [5, 8]);
  assert.equal(outlyingSuspects, 1);
});

Deno.test("of copies the first speaks as a witness, and four speak at most", () => {
  const positions = [4, 0, 6, 3, 1, 2, 7, 8];
  const witnesses = positions.map((position, n) => ({ position, cosine: 1 - n / 10 }));
  const left = dropCopies(witnesses, GROUPS);
  assert.deepEqual(left.map(({ position }) => position), [4, 0, 3, 7]);
  assert.deepEqual(left[1], witnesses[1]);
});

Deno.test("numbers of samples and of classes can be told apart", () => {
  const sizes = { count: 9, suspects: 2, groups: 0, outliers: 1, redundant: 3, classes: 2 };
  const lines = describeFindings({
    ...makeFindings(sizes),
    confusion: Int32Array.of(3, 2, 1, 3),
    outlyingSuspects: 1,
  });
  for (
    const line of [
      "  #0: labelled 0, rather 1",
      "outliers: 1 of 9 resemble no class, and 1 of the suspects",
      "most confused: 2 of 5 in class 0 are taken for class 1",
      "3 redundant by the kernel of this network; how many depends on how long it was trained; no mistakes",
    ]
  ) assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
});

Deno.test("commands are recommended as a shell takes them, and none where nothing was found", () => {
  const found = {
    data: { labels: new Int32Array(9) },
    suspects: [{ position: 0 }],
    strongSuspects: [],
    duplicates: [],
    outliers: [],
    outlyingSuspects: 0,
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
  const drawn = { ...call, data: "d", model: undefined, trainSize: 600, sampleSeed: 4, seed: 5 };
  assert.equal(
    recommend(found, { ...drawn, memory: 2 ** 30, strict: true })[1].command,
    "lpntk clean --data d --size 32x16 --strict --train-size 600 --sample-seed 4 " +
      "--memory 1073741824 --seed 5 --verify --out o_verified",
  );
  assert.match(recommend(found, { ...drawn, first: true, sampleSeed: 0 })[1].command!, / --first /);
  assert.equal(recommend(found, { ...call, verify: true }).length, 1);
  const [nothing, ...others] = recommend({ ...found, suspects: [] }, call);
  assert.deepEqual([nothing.command, others], [undefined, []]);
});
