/**
 * File of measurements in the cache folder, so that the next process need not measure again.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { cacheFolder } from "../cache_folder.ts";
import { writeWhole } from "../files/file.ts";
import { readJson } from "../formats/json.ts";

/** Reads all values by their keys; none where the file cannot be read, since they can be measured again. */
export async function readMemory(): Promise<Record<string, unknown>> {
  try {
    return z.record(z.string(), z.unknown()).parse(
      await readJson(memoryFile(), "what was measured before"),
    );
  } catch {
    return {};
  }
}

let failure: string | undefined;

/**
 * Returns the reason why the last measurement could not be written to the cache folder, so that the next process measures again, which takes
 * some seconds; undefined where it was written, or nothing was measured.
 */
export function findCacheFailure(): string | undefined {
  return failure;
}

/**
 * Adds a value to the file, which is written completely or not at all. Where it cannot be written, or another process writes it at the same
 * moment, the value may be lost, and is measured again.
 */
export async function remember(key: string, value: unknown): Promise<void> {
  try {
    const memory = { ...await readMemory(), [key]: value };
    const text = `${JSON.stringify(memory, null, 2)}\n`;
    await writeWhole(memoryFile(), new TextEncoder().encode(text));
    failure = undefined;
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
}

/** Hashes shaders' sources to 12 hexadecimal digits, by which measurements of other sources are told apart. */
export async function hashShaders(shaders: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(shaders.join()));
  return new Uint8Array(digest).toHex().slice(0, 12);
}

function memoryFile(): string {
  return `${cacheFolder()}/tuning.json`;
}
