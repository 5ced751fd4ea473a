/** The task of the project: its permissions, what each command does without more, and where it looks for files. @module */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { PeerProcess } from "../../bench/peers/process.ts";
import { encodeNpy } from "../../mod.ts";
import { openTempFolder } from "../temp_folder.ts";
import { callHere, finish, prepareDeno, readJson, ROOT } from "./process.ts";

/** Permissions that docs/where-it-runs.md calls enough for every command but `data fetch` and `bench`. */
const LEAST: Deno.PermissionOptionsObject = {
  read: true,
  write: true,
  env: true,
  sys: true,
  net: false,
  run: false,
  ffi: false,
};

Deno.test({
  name: "every command but data fetch and bench runs without net, run and ffi",
  permissions: LEAST,
  async fn() {
    await using folder = await openTempFolder();
    const { path } = folder;
    const data = "--data digits --train-size 40";
    const network = `--model mlp --weights ${path}/a/weights.safetensors ${data}`;
    const calls = [
      "doctor --json",
      "plan --model mlp --samples 100",
      `train --model mlp ${data} --test-size 20 --epochs 1 --out ${path}/a`,
      `gram ${network} --out ${path}/K.zarr`,
      `redundant --kernel ${path}/K.zarr --out ${path}/redundant`,
      `relate --kernel ${path}/K.zarr --out ${path}/relate`,
      `cluster --kernel ${path}/K.zarr --ratio 0.2 --out ${path}/cluster`,
      `nearest --kernel ${path}/K.zarr --k 2 --out ${path}/nearest`,
      `neighbours ${network} --test 0 --out ${path}/neighbours`,
      `clean ${data} --model mlp --out ${path}/clean`,
      `data import digits --out ${path}/digits`,
      `prune --kernel ${path}/K.zarr --method redundant --out ${path}/prune`,
      `compare ${data} --model mlp --test-size 20 --epochs 1 --arm full --arm kept=${path}/prune/keep.npy --seeds 2 --out ${path}/compare`,
      `run ${data} --test-size 20 --model mlp --epochs 1 --seeds 2 --out ${path}/run`,
      "experiment list",
      `experiment extreme --config ${path}/c.toml --out ${path}/extreme`,
    ];
    await Deno.writeTextFile(
      `${path}/c.toml`,
      `experiment = "extreme"\ndata = "digits"\nimages = 2\nrounds = 2\n`,
    );
    for (const call of calls) {
      const { code, stderr } = await callHere(call.split(" "));
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, call);
    }
  },
});

Deno.test({
  name: "a peer that may not be started is left out, with the reason",
  permissions: LEAST,
  async fn() {
    const peer = await PeerProcess.start("blas.py", []);
    assert.equal(peer, "Deno may not start python3; `deno task bench` may");
  },
});

Deno.test("the task is permitted what the commands need, and to reach the data sets' hosts alone", async () => {
  const { lpntk, bench } = manifest.tasks;
  const flags = (task: string) => task.match(/ --?(?:allow|A)\S*/g)!.map((flag) => flag.trim());
  const least = ["read", "write", "env", "sys"].map((name) => `--allow-${name}`);
  assert.deepEqual(flags(bench), [...least, "--allow-run"]);
  const [net, ...others] = flags(lpntk).toReversed();
  assert.deepEqual(others.toReversed(), least);
  const source = await Deno.readTextFile(`${ROOT}/engine/data/fetch.ts`);
  const mirrors = [...source.matchAll(/mirror: "(.*)"/g)].map(([, url]) => new URL(url).host);
  assert.equal(net, `--allow-net=${[...new Set(mirrors)].join(",")}`);
});

/** Prepares the project's task as a user calls it from another folder. */
function prepareTask(args: readonly string[], cwd: string): Deno.Command {
  // removed, since the folder of a task that runs this test would be taken for the user's
  const { INIT_CWD: _, ...env } = Deno.env.toObject();
  return new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "--config", `${ROOT}/deno.json`, "lpntk", ...args],
    cwd,
    env: { ...env, NO_COLOR: "1" },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("the task takes paths from the user's folder, and an error says them whole", async () => {
  await using folder = await openTempFolder();
  // the real path, as the process sees it: on some systems the folder for temporary files is a link
  const cwd = `${await Deno.realPath(folder.path)}/with a space`;
  await Deno.mkdir(`${cwd}/npy`, { recursive: true });
  const pixels = Uint8Array.from({ length: 12 * 16 }, (_, i) => 37 * i % 256);
  await Deno.writeFile(`${cwd}/npy/images.npy`, encodeNpy(pixels, [12, 4, 4]));
  const labels = Int32Array.from({ length: 12 }, (_, i) => i % 2);
  await Deno.writeFile(`${cwd}/npy/labels.npy`, encodeNpy(labels, [12]));
  const train = "train --model mlp --epochs 1 --out out/a --data";
  const done = await finish(prepareTask([...train.split(" "), "./npy"], cwd));
  assert.deepEqual([done.code, done.stderr], [0, ""]);
  assert.equal((await readJson(`${cwd}/out/a/run.json`)).options.data, "./npy");
  const missing = await finish(prepareTask([...train.split(" "), "./none"], cwd));
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^lpntk: [^\n]+\n$/);
  assert.ok(missing.stderr.includes(`${cwd}/none`), missing.stderr);
});

Deno.test("without the task paths are from where the process stands", async () => {
  await using folder = await openTempFolder();
  const args = ["run", "-A", `${ROOT}/cli/main.ts`, "relate", "--kernel", "K.npy", "--out", "r"];
  const env = { INIT_CWD: ROOT };
  const cwd = await Deno.realPath(folder.path);
  const { stderr } = await finish(prepareDeno(args, { cwd, env }));
  assert.ok(stderr.includes(`${cwd}/K.npy`), stderr);
});
