/** What is kept by default, and which commands are recommended, on findings made by hand. @module */
import assert from "node:assert/strict";
import { chooseKept, preferUnsuspected } from "../../../cli/cleaning/default_rule.ts";
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
