/** Experiments at their quick settings on real MNIST, for the tests of what has to hold there. @module */
import { readJson, succeed } from "../cli/process.ts";
import { openTempFolder } from "../unit/data_fixtures.ts";

/** Whether LPNTK_DATA, the folder that holds `mnist/`, is not named: the tests are then left out. */
export const ignore = !Deno.env.get("LPNTK_DATA");
if (ignore) console.log("LPNTK_DATA is not set: no experiment runs on real MNIST");

/** Several times the three minutes that quick settings are made for. */
const TIMEOUT_MS = 20 * 60_000;

/** One statement of the paper beside what was found. */
export interface QuickClaim {
  readonly what: string;
  readonly ours: string;
  readonly verdict: string;
}

/** Runs an experiment into a folder that goes again; its metrics, as JSON has them, and its claims. */
export async function runQuick(experiment: string) {
  await using folder = await openTempFolder();
  const out = `${folder.path}/${experiment}`;
  await succeed(["experiment", experiment, "--quick", "--out", out], { timeoutMs: TIMEOUT_MS });
  const claims: QuickClaim[] = await readJson(`${out}/claims.json`);
  return { metrics: await readJson(`${out}/metrics.json`), claims };
}
