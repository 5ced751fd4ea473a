/** SHA-256 of weights, data sets and arrays, so that results can state what they were computed from. @module */

import { createHash, type Hash } from "node:crypto";
import type { Dataset } from "./dataset.ts";
import type { WeightTensor } from "../formats/safetensors.ts";
import type { NpyArray } from "../formats/npy.ts";

/**
 * Hashes named tensors: names, shapes and the bits of their elements, independent of the order of the tensors.
 *
 * @returns 64 hexadecimal digits
 */
export function hashWeights(weights: ReadonlyMap<string, WeightTensor>): string {
  const hash = createHash("sha256");
  for (const name of [...weights.keys()].sort()) {
    const { shape, data } = weights.get(name)!;
    addText(hash, JSON.stringify([name, shape]));
    addBytes(hash, data);
  }
  return hash.digest("hex");
}

/**
 * Hashes everything of a data set that a network sees: images, labels, shape, classes, mean and standard deviation; not its name, nor those of classes and files.
 *
 * @returns 64 hexadecimal digits
 */
export function hashDataset({ images, labels, shape, classes, mean, std }: Dataset): string {
  const hash = createHash("sha256");
  // u8 goes without a name: digests of earlier versions stay true
  const type = images instanceof Float32Array ? ["f32"] : [];
  addText(hash, JSON.stringify([labels.length, shape, classes, mean, std, ...type]));
  addBytes(hash, labels);
  addBytes(hash, images);
  return hash.digest("hex");
}

/**
 * Hashes labels, or indices of samples.
 *
 * @param integers `[N]` i32
 * @returns 64 hexadecimal digits
 */
export function hashIntegers(integers: Int32Array): string {
  const hash = createHash("sha256");
  addBytes(hash, integers);
  return hash.digest("hex");
}

/**
 * Hashes an array: its type, its shape and the bits of its elements.
 *
 * @returns 64 hexadecimal digits
 */
export function hashArray({ shape, data }: Pick<NpyArray, "shape" | "data">): string {
  const hash = createHash("sha256");
  addText(hash, JSON.stringify([data.constructor.name, shape]));
  addBytes(hash, data);
  return hash.digest("hex");
}

function addText(hash: Hash, text: string): void {
  addBytes(hash, new TextEncoder().encode(`${text}\n`));
}

function addBytes(hash: Hash, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
  hash.update(new Uint8Array(buffer, byteOffset, byteLength));
}
