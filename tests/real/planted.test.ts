/** `lpntk clean` finds what is planted among real pictures, and little else. @module */
import assert from "node:assert/strict";
import { readCsv } from "../../engine/formats/csv.ts";
import { succeed } from "../cli/process.ts";
import { openTempFolder } from "../temp_folder.ts";
import { plant, type Planting, type Truth } from "./planted.ts";
import { ignore, ignoreCifar } from "./quick.ts";

/** Time limit: several times what the command takes. */
const TIMEOUT_MS = 15 * 60_000;

/** Least that has to be found: average precision of the wrong labels, and the share of them whose suggestion is the true class. */
interface Least {
  readonly precision: number;
  readonly right: number;
}

Deno.test({
  name:
    "among 670 real digits wrong labels come first, with the right suggestions, and copies are found",
  ignore,
  fn: () =>
    checkPlanted({
      name: "mnist",
      classes: new Map([[1, "one"], [3, "three"], [4, "four"], [7, "seven"], [9, "nine"]]),
      perClass: 130,
      skip: 2000,
      wrong: 36,
      exact: 10,
      near: 10,
      seed: 1801,
    }, { precision: 0.9, right: 0.9 }),
});

Deno.test({
  name:
    "among 620 pictures of CIFAR-10 wrong labels come early, with suggestions of use, and copies are found",
  ignore: ignoreCifar,
  fn: () =>
    checkPlanted({
      name: "cifar10",
      classes: new Map([[1, "automobile"], [2, "bird"], [7, "horse"], [8, "ship"]]),
      perClass: 150,
      skip: 600,
      wrong: 33,
      exact: 10,
      near: 10,
      seed: 1802,
    }, { precision: 0.3, right: 0.45 }),
});

async function checkPlanted(planting: Planting, least: Least): Promise<void> {
  await using folder = await openTempFolder();
  const [data, out] = [`${folder.path}/pictures`, `${folder.path}/found`];
  const truth = await plant(data, planting);
  assert.equal(truth.wrong.size, planting.wrong);
  await succeed(["clean", "--data", data, "--out", out], { timeoutMs: TIMEOUT_MS });
  await checkLabels(`${out}/labels.csv`, truth, least);
  await checkCopies(`${out}/duplicates.csv`, truth);
}

async function checkLabels(path: string, { wrong }: Truth, least: Least): Promise<void> {
  const ranked = (await readCsv(path, "labels", ["file", "suggested"])).map(({ cells }) => cells);
  const hits = [...ranked.keys()].filter((at) => wrong.has(ranked[at].file));
  assert.equal(hits.length, wrong.size);
  const precision = hits.reduce((sum, at, n) => sum + (n + 1) / (at + 1), 0) / hits.length;
  const right = hits.filter((at) => wrong.get(ranked[at].file) === ranked[at].suggested).length;
  assert.ok(precision >= least.precision, `average precision ${precision}`);
  assert.ok(right >= least.right * hits.length, `${right} of ${hits.length} suggestions are right`);
}

async function checkCopies(path: string, { exact, near }: Truth): Promise<void> {
  const groups = new Map<string, Set<string>>();
  for (const { cells: { group, file } } of await readCsv(path, "copies", ["group", "file"])) {
    groups.set(group, (groups.get(group) ?? new Set()).add(file));
  }
  const isFound = ([first, second]: readonly [string, string]) =>
    groups.values().some((group) => group.has(first) && group.has(second));
  assert.deepEqual(exact.filter((pair) => !isFound(pair)), []);
  const found = near.filter(isFound).length;
  assert.ok(found >= 0.8 * near.length, `${found} of ${near.length} near copies`);
  const planted = new Set([...exact, ...near].flat());
  const others = [...groups.values()].flatMap((group) => [...group])
    .filter((file) => !planted.has(file));
  assert.ok(others.length <= 12, `${others.length} pictures in groups that were not planted`);
}
