/** An experiment on coloured images of one's own, with a residual network from a file. @module */
import assert from "node:assert/strict";
import { loadWeights, writeNpy } from "../../../mod.ts";
import { openTempFolder } from "../../temp_folder.ts";
import {
  assertRefused,
  fingerprint,
  finish,
  prepareLpntk,
  readArray,
  readJson,
  succeed,
} from "../process.ts";

const SOURCE = `
import { createResnet } from "lpntk";

export default createResnet({ name: "mine", widths: [4, 6], blocks: 1, pooling: "global" });
`;

const TRAIN = 72;
const SIDE = 6;

/** Writes images `[N, 6, 6, 3]` whose label is their brightest channel, beside a pattern without information. */
async function writeColours(path: string): Promise<void> {
  await Deno.mkdir(path);
  for (const [prefix, count] of [["", TRAIN + 24], ["test_", 60]] as const) {
    const labels = Uint8Array.from({ length: count }, (_, n) => n % 3);
    const images = Uint8Array.from({ length: count * SIDE * SIDE * 3 }, (_, i) => {
      const [channel, n] = [i % 3, Math.floor(i / (SIDE * SIDE * 3))];
      return (channel === labels[n] ? 140 : 60) + (i * 37 + n * n * 11 + prefix.length) % 100;
    });
    await writeNpy(`${path}/${prefix}images.npy`, images, [count, SIDE, SIDE, 3]);
    await writeNpy(`${path}/${prefix}labels.npy`, labels, [count]);
  }
}

const SIZES = `trainSize = ${TRAIN}\nvalidationSize = 24\nseeds = 1\n`;
const TRAINING = "batch = 8\nlearningRate = 0.1\naugment = true\n";
const TRAINING_FLAGS = ["--epochs", "6", "--batch", "8", "--lr", "0.1", "--augment"];

const SOURCE_FLAGS = ["--data", "colours", "--model", "./mine.ts"];

async function openFolder() {
  const folder = await openTempFolder();
  const { path } = folder;
  await writeColours(`${path}/colours`);
  await Deno.writeTextFile(`${path}/mine.ts`, SOURCE);
  const surroundings = { cwd: path, timeoutMs: 300_000 };
  return {
    ...folder,
    surroundings,
    call: (...args: string[]) => succeed([...args, ...SOURCE_FLAGS], surroundings),
  };
}

Deno.test("experiments train a network from a file on coloured images as `train` does", async () => {
  await using folder = await openFolder();
  const { path, call } = folder;
  const sizes = ["--train-size", `${TRAIN}`, "--validation-size", "24"];
  await call("train", ...sizes, ...TRAINING_FLAGS, "--out", "trained");
  const expected = await loadWeights(`${path}/trained/weights.safetensors`);
  assert.deepEqual([...expected.keys()].slice(-2), ["linear.weight", "linear.bias"]);
  const runs = [
    ["redundancy", "kernelEpochs = 6\nepochs = 1\ntestSize = 60\n", "kernel_network"],
    ["clusters", "epochs = 6\n", "weights-0"],
  ];
  for (const [name, own, step] of runs) {
    await Deno.writeTextFile(`${path}/c.toml`, `${SIZES}${TRAINING}${own}`);
    await call("experiment", name, "--config", "c.toml", "--out", name);
    assert.deepEqual(await loadWeights(`${path}/${name}/steps/${step}.safetensors`), expected);
  }
});

Deno.test("an experiment names the network's file in its record, and goes on with no other", async () => {
  await using folder = await openFolder();
  const { path, surroundings } = folder;
  // with fewer epochs it depends on the drawn crops whether the network is above chance
  const own = "kernelEpochs = 6\nepochs = 6\ntestSize = 60\n";
  await Deno.writeTextFile(`${path}/c.toml`, `${SIZES}${TRAINING}${own}`);
  const source = SOURCE_FLAGS;
  const call = ["experiment", "redundancy", ...source, "--config", "c.toml", "--out", "run"];
  await succeed(call, surroundings);

  const { redundant, results, excluded } = await readJson(`${path}/run/metrics.json`);
  assert.equal(results[0].runs.length, 1, JSON.stringify(excluded));
  const analysed = [
    "--weights",
    "run/steps/kernel_network.safetensors",
    "--train-size",
    `${TRAIN}`,
  ];
  for (const kind of ["lpntk", "pntk"]) {
    await succeed(
      ["redundant", ...source, ...analysed, "--kind", kind, "--out", kind],
      surroundings,
    );
    const flags = await readArray(`${path}/${kind}/redundant.npy`, Uint8Array, [TRAIN]);
    const row = redundant.find(({ kernel, rule }: { kernel: string; rule: string }) =>
      kernel.toLowerCase() === kind && rule === "any"
    );
    assert.equal(row.redundant, flags.reduce((sum, flag) => sum + flag, 0), kind);
  }
  const config = await Deno.readTextFile(`${path}/run/config.toml`);
  assert.match(config, /^data = "colours"$/m);
  assert.match(config, /^model = "\.\/mine\.ts"$/m);
  const [environment] = await readJson(`${path}/run/environment.json`);
  assert.match(environment.model, /^\.\/mine\.ts, SHA-256 [0-9a-f]{64}$/);

  // the weights of all steps would fit the other network, too
  const before = await fingerprint(`${path}/run`);
  await Deno.writeTextFile(`${path}/mine.ts`, SOURCE.replace('"global"', '"4 x 4"'));
  assertRefused(
    await finish(prepareLpntk(call, surroundings)),
    `Cannot go on with ${path}/run: got another network in ./mine.ts than the run began with`,
  );
  await Deno.remove(`${path}/mine.ts`);
  assertRefused(
    await finish(prepareLpntk(call, surroundings)),
    `Cannot use ${path}/mine.ts as a network: got no such file, need a module`,
  );
  assert.deepEqual(await fingerprint(`${path}/run`), before);

  await Deno.writeTextFile(`${path}/mine.ts`, SOURCE);
  await Deno.remove(`${path}/run/steps/kept.json`);
  await succeed(
    ["experiment", "redundancy", "--config", "run/config.toml", "--out", "run"],
    surroundings,
  );
  assert.deepEqual(await fingerprint(`${path}/run`), before);
});

Deno.test("options of an experiment that cannot be are told by their names, and leave nothing", async () => {
  await using folder = await openTempFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/empty.ts`, "export {};\n");
  const mistakes = [
    [2, ["--data", "cifr10"], /Cannot use --data: got data = "cifr10", need .* mean cifar10\?$/],
    [2, ["--data", "digits", "--model", "resnet9"], /Got 'resnet9', need .* or a \.ts file/],
    [
      1,
      ["--data", "digits", "--model", "./none.ts"],
      /Cannot use \S*\/none\.ts as .* no such file/,
    ],
    [1, ["--data", "digits", "--model", "./empty.ts"], /\/empty\.ts .* got no default export/],
  ] as const;
  for (const [code, options, says] of mistakes) {
    const call = ["experiment", "clusters", "--quick", ...options, "--out", "run"];
    const outcome = await finish(prepareLpntk(call, { cwd: path }));
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr.trim(), says);
    assert.ok(!outcome.stderr.trim().includes("\n"), outcome.stderr);
    assert.equal(await Deno.stat(`${path}/run`).catch(() => undefined), undefined);
  }
});
