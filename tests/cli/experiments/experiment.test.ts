/** Runs of experiments: what they leave, how they resume after a kill, and what they refuse. @module */
import assert from "node:assert/strict";
import { openTempFolder } from "../../temp_folder.ts";
import { fingerprint, listFolder, prepareLpntk, readJson, runLpntk, succeed } from "../process.ts";

const TIMEOUT_MS = 300_000;

/** Configuration of appendix D.1's example on two of the digits that come with the program. */
const CONFIG = `experiment = "extreme"\ndata = "digits"\nimages = 2\nrounds = 20\n`;

async function openRun() {
  const folder = await openTempFolder();
  const { path } = folder;
  const config = `${path}/c.toml`;
  await Deno.writeTextFile(config, CONFIG);
  const call = (out: string, file = config) => [
    "experiment",
    "extreme",
    "--config",
    file,
    "--out",
    `${path}/${out}`,
  ];
  return { ...folder, config, call };
}

/** Waits until a file exists. */
async function seeFile(path: string): Promise<void> {
  const end = Date.now() + TIMEOUT_MS;
  while (!await Deno.stat(path).catch(() => undefined)) {
    if (Date.now() > end) throw new Error(`${path} did not appear`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("a run leaves all that was promised, and its claims are what the program says", async () => {
  await using folder = await openRun();
  const text = await succeed(folder.call("a"));
  const out = `${folder.path}/a`;
  assert.deepEqual(await listFolder(out), [
    "claims.json",
    "config.toml",
    "environment.json",
    "index.html",
    "losses.png",
    "losses.svg",
    "metrics.json",
    "pairs.csv",
    "samples.csv",
    "samples.npy",
    "steps",
  ]);
  for (const { what, paper, ours, verdict, rule } of await readJson(`${out}/claims.json`)) {
    const lines = [
      `${what}: ${verdict}`,
      `  paper: ${paper}`,
      `  ours:  ${ours}`,
      `  rule:  ${rule}`,
    ];
    assert.ok(text.includes(lines.join("\n")), text);
  }
  assert.ok(text.endsWith(`wrote ${out}/index.html\n`), text);
  const [environment, ...others] = await readJson(`${out}/environment.json`);
  assert.deepEqual(others, []);
  assert.equal(environment.deno, Deno.version.deno);
  assert.match(environment.data["train 2"], /^[0-9a-f]{64}$/);
  assert.equal(environment.gramVariants.length, 1);
});

Deno.test("a run that is killed between steps, and called again, ends with the bytes of one that was not, and so does one from its configuration", async () => {
  await using folder = await openRun();
  const { path, call } = folder;
  await succeed(call("whole"));
  const child = prepareLpntk(call("cut"), { timeoutMs: TIMEOUT_MS }).spawn();
  await seeFile(`${path}/cut/steps/same_label.json`);
  child.kill("SIGKILL");
  await child.output();
  assert.deepEqual(await listFolder(`${path}/cut/steps`), ["same_label.json"]);
  const { mtime } = await Deno.stat(`${path}/cut/steps/same_label.json`);
  await Deno.writeTextFile(
    `${path}/cut/index.html.12345678.partial`,
    "as a killed process leaves it",
  );
  await succeed(call("cut"));
  const whole = await fingerprint(`${path}/whole`);
  assert.deepEqual(await fingerprint(`${path}/cut`), whole);
  assert.deepEqual(
    (await Deno.stat(`${path}/cut/steps/same_label.json`)).mtime,
    mtime,
    "done again",
  );
  await succeed(call("again", `${path}/whole/config.toml`));
  assert.deepEqual(await fingerprint(`${path}/again`), whole);
});

Deno.test("a folder of another configuration, of nothing that we know, or in use is refused, and left as it is", async () => {
  await using folder = await openRun();
  const { path, config, call } = folder;
  const child = prepareLpntk(call("a"), { timeoutMs: TIMEOUT_MS }).spawn();
  await seeFile(`${path}/a/config.toml`);
  const busy = await runLpntk(call("a"));
  assert.equal(busy.code, 1);
  assert.match(
    busy.stderr,
    /^lpntk: Cannot write .*\/a: got process \d+ on .* at work on it, need it free; .*\n$/,
  );
  assert.equal((await child.output()).code, 0);

  const before = await fingerprint(`${path}/a`);
  await Deno.writeTextFile(config, CONFIG.replace("rounds = 20", "rounds = 21"));
  const other = await runLpntk(call("a"));
  assert.equal(other.code, 1);
  assert.match(
    other.stderr,
    /Cannot go on with .*\/a: got a run of other settings \(rounds 20, now 21\), need the same; .*\n$/,
  );
  assert.deepEqual(await fingerprint(`${path}/a`), before);

  await Deno.mkdir(`${path}/foreign`);
  await Deno.writeTextFile(`${path}/foreign/thesis.tex`, "years of work");
  const foreign = await runLpntk(call("foreign"));
  assert.equal(foreign.code, 1);
  assert.match(
    foreign.stderr,
    /foreign: got a folder with other files \(thesis\.tex\) and no config\.toml, need an empty or a new one/,
  );
  assert.deepEqual(await listFolder(`${path}/foreign`), ["thesis.tex"]);
});

Deno.test("a configuration that cannot be is told with its line, and leaves nothing", async () => {
  await using folder = await openRun();
  const { path, config, call } = folder;
  const mistakes: readonly (readonly [text: string, says: RegExp])[] = [
    ["imags = 3", /c\.toml, line 1: got an unknown key imags, .*; did you mean images\?$/],
    ['data = "digts"', /line 1: got data = "digts", need digits, .*; did you mean digits\?$/],
    [
      'data = "digits"\nimages = 0',
      /c\.toml, line 2: got images = 0, need a number of at least 1$/,
    ],
    [
      'data = "digits"\n\nimages = 1000000',
      /c\.toml, line 3: got images = 1000000, need at most \d+, the samples of digits \(train\)$/,
    ],
  ];
  for (const [text, says] of mistakes) {
    await Deno.writeTextFile(config, text);
    const { code, stderr } = await runLpntk(call("a"));
    assert.equal(code, 2, stderr);
    assert.match(stderr.trim(), says);
    assert.deepEqual(await listFolder(path), ["c.toml"]);
  }
});

Deno.test("the list names every experiment with its place in the paper", async () => {
  const { EXPERIMENTS } = await import("../../../cli/experiments/list.ts");
  const lines = (await succeed(["experiment", "list"])).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.split(/\s{2,}/)),
    EXPERIMENTS.map(({ name, about, source }) => [name, `${about} (${source})`]),
  );
});
