/**
 * PyTorch on the CPU, in processes of its own.
 *
 * @module
 */
import type { Dataset } from "../../engine/data/dataset.ts";
import { encodeNpy } from "../../engine/formats/npy.ts";
import { encodeSafetensors } from "../../engine/formats/safetensors.ts";
import type { Weights } from "../../engine/network/parameters.ts";
import type { Bench } from "../case.ts";
import { PEER_THREADS, PeerProcess } from "./process.ts";

/** A folder with the weights and images that the scripts read; dispose it to remove the folder. */
export interface SampleFolder extends AsyncDisposable {
  readonly path: string;
}

/** Starts a script; undefined if there is no PyTorch, which a note then says. The caller disposes the process. */
export async function startPytorch(
  bench: Bench,
  script: string,
  args: readonly string[],
): Promise<PeerProcess | undefined> {
  const peer = await PeerProcess.start(script, [...args, String(PEER_THREADS)]);
  if (typeof peer === "string") {
    bench.note(`PyTorch is left out: ${peer}.`);
    return undefined;
  }
  bench.note(`PyTorch computes on the CPU with ${PEER_THREADS} threads.`);
  return peer;
}

/** Writes the files that `networks_torch.py` reads. */
export async function writeSamples(weights: Weights, data: Dataset): Promise<SampleFolder> {
  const path = await Deno.makeTempDir({ prefix: "lpntk-bench-" });
  const { classes, mean, std } = data;
  const count = data.labels.length;
  await Promise.all([
    Deno.writeFile(`${path}/weights.safetensors`, encodeSafetensors(weights)),
    Deno.writeFile(`${path}/images.npy`, encodeNpy(data.images, [count, ...data.shape])),
    Deno.writeFile(`${path}/labels.npy`, encodeNpy(data.labels, [count])),
    Deno.writeTextFile(`${path}/dataset.json`, JSON.stringify({ classes, mean, std })),
  ]);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
