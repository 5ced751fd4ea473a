/** Training and comparisons that were killed are resumed, and end with the same bytes. @module */
import assert from "node:assert/strict";
import { decodeTrainingState, encodeNpy } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import {
  assertRefused,
  callHere,
  fingerprint,
  listFolder,
  prepareLpntk,
  readJson,
} from "./process.ts";

const SHARED = "--model mlp --data digits --train-size 120 --test-size 40 --batch 8 --augment";

const TRAIN = `train ${SHARED} --validation-size 40 --epochs 6 --lr 0.01 --schedule cosine`;

function call(
  command: string,
  out: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return callHere([...command.split(" "), "--out", out]);
}

async function succeed(command: string, out: string, note = ""): Promise<void> {
  const { code, stderr } = await call(command, out);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: note });
}

function describeResumed(out: string): string {
  return `lpntk: goes on with the unfinished run in ${out}/.resume\n`;
}

/** Runs a command in a process that is killed as soon as a file appears. */
async function killAt(file: string, command: string, out: string): Promise<void> {
  const child = prepareLpntk([...command.split(" "), "--out", out]).spawn();
  const ended = child.output();
  while (!await Deno.stat(file).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  child.kill("SIGKILL");
  const { signal, stderr } = await ended;
  assert.equal(signal, "SIGKILL", new TextDecoder().decode(stderr));
  assert.deepEqual(await listFolder(out), [".lock", ".partial", ".resume"]);
}

/** Digests all files of a folder but one. */
async function printOthers(out: string, name: string): Promise<Record<string, string>> {
  const { [name]: _, ...prints } = await fingerprint(out);
  return prints;
}

Deno.test("training that is killed goes on after its last epoch to the same bytes", async () => {
  await using folder = await openTempFolder();
  const [whole, out] = [`${folder.path}/whole`, `${folder.path}/killed`];
  await succeed(TRAIN, whole);
  const kept = `${out}/.resume/epoch.safetensors`;
  await killAt(kept, TRAIN, out);

  // refused: other settings, another command, and other samples under the same name
  const state = await fingerprint(`${out}/.resume`);
  assertRefused(await call(`${TRAIN} --momentum 0.5`, out), out, "(momentum 0.9, now 0.5)");
  assertRefused(await call(`${TRAIN} --seed 1`, out), out, "(seed 0, now 1)");
  assertRefused(
    await call(`compare ${SHARED} --arm full`, out),
    out,
    '(command "train", now "compare")',
  );
  const record = await readJson(`${out}/.resume/run.json`);
  for (const [key, value] of Object.entries({ samples: "0", adapter: "another", version: "9" })) {
    const text = JSON.stringify({ ...record, origin: { ...record.origin, [key]: value } });
    await Deno.writeTextFile(`${out}/.resume/run.json`, text);
    assertRefused(await call(TRAIN, out), out, `(${key} "${value}", now`, "remove");
  }
  await Deno.writeTextFile(`${out}/.resume/run.json`, `${JSON.stringify(record, null, 2)}\n`);
  const bytes = await Deno.readFile(kept);
  await Deno.writeFile(kept, bytes.subarray(0, -4));
  const { code, stderr } = await call(TRAIN, out);
  assert.ok(code === 1 && stderr.includes(`Cannot read ${kept}: got `), stderr);
  await Deno.writeFile(kept, bytes);
  assert.deepEqual(await fingerprint(`${out}/.resume`), state);

  const { epochs } = decodeTrainingState(bytes, kept);
  assert.ok(epochs.length >= 1 && epochs.length <= 6);
  await succeed(TRAIN, out, describeResumed(out));
  assert.deepEqual(
    await printOthers(out, "metrics.json"),
    await printOthers(whole, "metrics.json"),
  );
  const strip = ({ epochs, ...others }: { epochs: { seconds: number }[] }) => ({
    ...others,
    epochs: epochs.map((epoch) => ({ ...epoch, seconds: 0 })),
  });
  const [found, expected] = await Promise.all(
    [out, whole].map((path) => readJson(`${path}/metrics.json`)),
  );
  assert.deepEqual(strip(found), strip(expected));
  // the training did not begin anew: the first epochs' times are those of the process that was killed
  assert.deepEqual(found.epochs.slice(0, epochs.length), epochs);
});

Deno.test("a comparison that is killed goes on with the runs that it lacks", async () => {
  await using folder = await openTempFolder();
  const [whole, out] = [`${folder.path}/whole`, `${folder.path}/killed`];
  const keep = `${folder.path}/keep.npy`;
  const writeKept = (last: number) => {
    // indices among the samples that --first takes
    const indices = Int32Array.of(...Array.from({ length: 59 }, (_, i) => i), last);
    return Deno.writeFile(keep, encodeNpy(indices, [60]));
  };
  await writeKept(100);
  const command = `compare ${SHARED} --first --arm full --arm half=${keep} --seeds 2 --epochs 2`;
  await succeed(command, whole);
  await killAt(`${out}/.resume/arm-0-seed-0.json`, command, out);
  await writeKept(101);
  assertRefused(await call(command, out), out, "(arm half ");
  await writeKept(100);

  const first = await readJson(`${out}/.resume/arm-0-seed-0.json`);
  await succeed(command, out, describeResumed(out));
  assert.deepEqual(await readJson(`${out}/summary.json`), await readJson(`${whole}/summary.json`));
  const prints = await printOthers(out, "accuracy.csv");
  assert.deepEqual(prints, await printOthers(whole, "accuracy.csv"));
  const [found, expected] = await Promise.all(
    [out, whole].map(async (path) => {
      const [head, ...lines] = (await Deno.readTextFile(`${path}/accuracy.csv`)).trim().split("\n");
      assert.equal(head.split(",").at(-1), "seconds");
      return lines.map((line) => line.split(","));
    }),
  );
  assert.deepEqual(
    found.map((cells) => cells.slice(0, -1)),
    expected.map((cells) => cells.slice(0, -1)),
  );
  const times = first.epochs.map(({ seconds }: { seconds: number }) => seconds);
  assert.deepEqual(found.slice(0, 2).map((cells) => Number(cells.at(-1))), times);
});

Deno.test("of training that diverges nothing stays: the same call would only diverge again", async () => {
  await using folder = await openTempFolder();
  const out = `${folder.path}/out`;
  const command = `train ${SHARED} --epochs 9 --batch full --lr 20 --momentum 0.99`;
  assertRefused(await call(command, out), "lower the learning rate");
  assert.deepEqual(await listFolder(folder.path), []);
  // the first arm's run is short of diverging, the second one's is not
  const [few, many] = ["few", "many"].map((name) => `${folder.path}/${name}.npy`);
  await Deno.writeFile(few, encodeNpy(Int32Array.of(0), [1]));
  await Deno.writeFile(many, encodeNpy(Int32Array.from({ length: 100 }, (_, i) => i), [100]));
  const arms = `--first --arm few=${few} --arm many=${many} --seeds 1`;
  const comparison = `compare ${SHARED} ${arms} --epochs 2 --lr 3`;
  assertRefused(await call(comparison, out), "lower the learning rate");
  assert.deepEqual(await listFolder(folder.path), ["few.npy", "many.npy"]);
});
