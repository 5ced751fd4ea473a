/** Experiments at quick settings on real data, for the tests of what has to hold there. @module */
import { readJson, succeed } from "../cli/process.ts";
import { openTempFolder } from "../temp_folder.ts";

const folder = Deno.env.get("LPNTK_DATA");

/** Whether LPNTK_DATA, the folder that holds `mnist/`, is not named: the tests are then left out. */
export const ignore = !folder;
if (ignore) console.log("LPNTK_DATA is not set: no experiment runs on real data");

/** Whether there is no CIFAR-10 in LPNTK_DATA either. */
export const ignoreCifar = ignore ||
  !await Deno.stat(`${folder}/cifar-10-batches-bin`).catch(() => undefined);
if (ignoreCifar && !ignore) {
  console.log(`${folder} holds no cifar-10-batches-bin: no experiment runs on CIFAR-10`);
}

/** Time limit: several times the three minutes that quick settings are made for. */
const TIMEOUT_MS = 20 * 60_000;

/** One statement of the paper beside what was found. */
export interface QuickClaim {
  readonly what: string;
  readonly paper: string;
  readonly ours: string;
  readonly verdict: string;
}

/** Choices by which a quick run differs from the quick settings on MNIST. */
export interface QuickChoice {
  readonly data?: string;
  /** TOML of the settings that override the quick ones. */
  readonly config?: string;
}

/** Runs an experiment into a temporary folder; returns its metrics, as in JSON, and its claims. */
export async function runQuick(
  experiment: string,
  { data = "mnist", config = "" }: QuickChoice = {},
) {
  await using folder = await openTempFolder();
  const out = `${folder.path}/${experiment}`;
  const file = `${folder.path}/c.toml`;
  await Deno.writeTextFile(file, config);
  const call = ["experiment", experiment, "--quick", "--data", data, "--config", file];
  await succeed([...call, "--out", out], { timeoutMs: TIMEOUT_MS });
  const claims: QuickClaim[] = await readJson(`${out}/claims.json`);
  return { metrics: await readJson(`${out}/metrics.json`), claims };
}
