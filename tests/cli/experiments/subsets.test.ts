/** The experiments on parts of a training set, on a few of the digits that come with the program, compared with the other commands. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../../temp_folder.ts";
import { readArray, readJson, runLpntk, succeed } from "../process.ts";
import { shareOf } from "../../../engine/reference/shares.ts";

const SAMPLES = 200;

const CONFIG = `
data = "digits"
model = "mlp"
trainSize = ${SAMPLES}
validationSize = 50
testSize = 100
kernelEpochs = 6
seeds = 2
epochs = 6
batch = 16
`;

async function openRun(name: string, more = "") {
  const folder = await openTempFolder();
  const { path } = folder;
  const out = `${path}/run`;
  const config = `${path}/c.toml`;
  await Deno.writeTextFile(config, `${CONFIG}${more}`);
  const source = [
    ...["--model", "mlp", "--weights", `${out}/steps/kernel_network.safetensors`],
    ...["--data", "digits", "--train-size", `${SAMPLES}`],
  ];
  return {
    ...folder,
    out,
    config,
    call: ["experiment", name, "--config", config, "--out", out],
    /** Runs another command on the network whose kernel chose. */
    analyse: async (...args: string[]) => {
      const to = `${path}/${args.join("_").replaceAll("-", "")}`;
      const text = await succeed([...args, ...source, "--json", "--out", to]);
      return { summary: JSON.parse(text), path: to };
    },
  };
}

Deno.test("redundancy trains without exactly the samples that `redundant` finds", async () => {
  await using run = await openRun("redundancy", `rule = "later"\n`);
  await succeed(run.call);
  const { redundant, results } = await readJson(`${run.out}/metrics.json`);
  const kept = await readJson(`${run.out}/steps/kept.json`);
  for (const { kernel, rule, redundant: count } of redundant) {
    const kind = kernel.toLowerCase();
    const { summary, path } = await run.analyse("redundant", "--kind", kind, "--rule", rule);
    assert.equal(count, summary.redundant);
    const flags = await readArray(`${path}/redundant.npy`, Uint8Array, [SAMPLES]);
    assert.deepEqual(kept[kind][rule], [...flags.keys()].filter((i) => flags[i] === 0));
  }
  const sizes = results.map(({ samples }: { samples: number }) => samples);
  const [lpntk, pntk] = [kept.lpntk.later.length, kept.pntk.later.length];
  assert.deepEqual(sizes, [SAMPLES, lpntk, lpntk, pntk, pntk]);
  assert.ok(kept.lpntk.any.length < lpntk && pntk < lpntk, JSON.stringify(redundant));
});

Deno.test("debias gives every choice as many samples as pruning the heads leaves", async () => {
  await using run = await openRun("debias", "scoreSeeds = 2\nshare = 0.3\nratio = 0.05\n");
  await succeed(run.call);
  const { rest, assignment, heads } = await readJson(`${run.out}/steps/clusters.json`);
  const { summary } = await run.analyse("redundant");
  assert.equal(rest.length, SAMPLES - summary.redundant);
  const pruned = heads.map((head: number) =>
    shareOf(0.3, assignment.filter((cluster: number) => cluster === head).length)
  );
  const size = rest.length - pruned.reduce((sum: number, count: number) => sum + count);
  assert.ok(size < rest.length);
  const { results, excluded } = await readJson(`${run.out}/metrics.json`);
  assert.deepEqual(
    results.map(({ name, samples }: { name: string; samples: number }) => [name, samples]),
    [
      ["whole", SAMPLES],
      ...["lpNTK", "random", "highest EL2N", "highest GraNd", "most forgotten", "k-center greedy"]
        .map((name) => [name, size]),
    ],
  );
  const runs = results.map(({ runs }: { runs: unknown[] }) => runs.length);
  assert.equal(runs.reduce((sum: number, n: number) => sum + n) + excluded.length, 14);
  const centers = await readJson(`${run.out}/steps/centers.json`);
  assert.equal(new Set(centers).size, size);
});

Deno.test("poison draws from exactly the head that `cluster` finds", async () => {
  await using run = await openRun("poison", "shares = [0.05, 0.2]\nratio = 0.3\n");
  await succeed(run.call);
  const { summary, path } = await run.analyse("cluster", "--per-class", "--ratio", "0.3");
  const assignment = await readArray(`${path}/assignment.npy`, Int32Array, [SAMPLES]);
  const heads = summary.heads.map(({ cluster }: { cluster: number }) => cluster);
  const expected = [...assignment.keys()].filter((i) => heads.includes(assignment[i]));
  assert.ok(expected.length < SAMPLES);
  assert.deepEqual(await readJson(`${run.out}/steps/head.json`), expected);
  const { head, results } = await readJson(`${run.out}/metrics.json`);
  assert.equal(head, expected.length);
  const sizes = results.map(({ samples }: { samples: number }) => samples);
  assert.deepEqual(sizes, [10, 10, 40, 40]);
});

Deno.test("sizes that do not go together are refused before any work, with their line", async () => {
  await using run = await openRun("poison");
  for (const shares of ["[0.05,0.001]", "[0.1,0.1]"]) {
    await Deno.writeTextFile(run.config, `${CONFIG}shares = ${shares}\n`);
    const { code, stderr } = await runLpntk(run.call);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`c.toml, line 11: got shares = ${shares}, need `), stderr);
  }

  await Deno.writeTextFile(run.config, CONFIG.replace(/trainSize = .*/, "trainSize = 3980"));
  const large = await runLpntk(run.call);
  assert.equal(large.code, 2);
  assert.match(large.stderr, /c\.toml, line 4: got trainSize = 3980, need at most 3950: /);
});
