/**
 * Results of lpntk among people's own files, told by what is in them, never by their names alone.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { FileError } from "../../errors.ts";
import { exists } from "../../files/file.ts";
import { LOCK_FILE } from "../../files/folder.ts";
import { readJson } from "../../formats/json.ts";

/** Record of a finished run, as every version of the command line has written it. */
const RECORD = z.object({ command: z.string(), options: z.record(z.string(), z.unknown()) });

/** Holder of a lease. */
const HOLDER = z.object({ process: z.number(), started: z.string(), id: z.string() });

/** Returns whether a folder has the record of a finished run in it. */
export function holdsRecord(path: string): Promise<boolean> {
  return holdsJson(`${path}/run.json`, RECORD);
}

/** Returns whether a folder has the record of a finished run, or the lock of one, so that it is no class, even within the data set. */
export async function holdsResults(path: string): Promise<boolean> {
  return await holdsRecord(path) || await holdsJson(`${path}/${LOCK_FILE}`, HOLDER);
}

async function holdsJson(path: string, form: z.ZodType): Promise<boolean> {
  if (!await exists(path)) return false;
  try {
    return form.safeParse(await readJson(path, "a file of lpntk")).success;
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
}
