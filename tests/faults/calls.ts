/** Small calls of lpntk that are cut short, and what they leave. @module */
import assert from "node:assert/strict";
import { openDisk } from "../cli/disk.ts";
import { fingerprint, prepareLpntk, readJson, withoutAdapter } from "../cli/process.ts";

const SAMPLES = "--model mlp --data digits --test-size 40 --batch 8";

/** Calls by what they write; each takes seconds, most of them to start. */
export function listCalls(folder: string): Record<"train" | "matrix" | "store", string> {
  const gram = `gram --model mlp --data digits --weights ${folder}/weights/weights.safetensors`;
  return {
    train: `train ${SAMPLES} --train-size 120 --epochs 12 --augment --out ${folder}/train`,
    matrix: `gram${gram.slice(4)} --train-size 600 --out ${folder}/K.npy`,
    store: `gram${gram.slice(4)} --train-size 1100 --out ${folder}/K.zarr`,
  };
}

/** Call that trains the weights of the kernels. */
export function trainWeights(folder: string): string {
  return `train ${SAMPLES} --train-size 60 --epochs 1 --out ${folder}/weights`;
}

/** Starts a call. */
export function start(call: string): Deno.ChildProcess {
  return prepareLpntk(call.split(" "), { timeoutMs: 600_000 }).spawn();
}

/** Waits for a started call to end; returns how. */
export async function end(
  child: Deno.ChildProcess,
): Promise<{ code: number; signal: Deno.Signal | null; stderr: string }> {
  const { code, signal, stderr } = await child.output();
  return { code, signal, stderr: withoutAdapter(new TextDecoder().decode(stderr)) };
}

/** Digests what a call wrote, without what tells of time. */
export async function printResults(folder: string): Promise<Record<string, string>> {
  const prints = await fingerprint(folder);
  for (const name of Object.keys(prints)) {
    if (name.endsWith("metrics.json")) {
      const metrics = await readJson(`${folder}/${name}`);
      for (const epoch of metrics.epochs) epoch.seconds = 0;
      prints[name] = JSON.stringify(metrics);
    } else if (name.endsWith("zarr.json")) {
      const { attributes: { created: _, ...attributes } } = await readJson(`${folder}/${name}`);
      prints[name] = JSON.stringify(attributes);
    }
  }
  return prints;
}

/** Mounts a disk in memory. */
export async function mountDisk(size: string): Promise<AsyncDisposable & { path: string }> {
  const disk = await openDisk(size);
  assert.ok(
    disk,
    "Cannot mount a disk in memory: got no permission to, need it; run as root, or by unshare -rm",
  );
  return disk;
}

/** Generates numbers from 0 to 1 that are the same in every run, by mulberry32. */
export function drawNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6D2B79F5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
