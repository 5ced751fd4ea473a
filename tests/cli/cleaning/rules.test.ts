/** What is kept by default, and which commands are recommended, on findings made by hand. @module */
import assert from "node:assert/strict";
import { chooseKept } from "../../../cli/cleaning/default_rule.ts";
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

Deno.test("commands are recommended as a shell takes them, and none where nothing was found", () => {
  const found = {
    data: { labels: new Int32Array(9) },
    suspects: [{ position: 0 }],
    strongSuspects: [],
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
