/**
 * Folders of results: whether results may be written into a folder, and whether those begun in it may be continued.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import { isPartial } from "./file.ts";

/** A kind of folder of results, told from any other folder by its marker. */
export interface FolderKind {
  /** Name of the file that marks a folder as one of this kind. */
  readonly marker: string;
  /** Names of files and folders of ours that may exist before the marker does. */
  readonly own?: readonly string[];
}

/** Name of the lock file in a folder of results. */
export const LOCK_FILE = ".lock";

/** Folder that the system itself puts into the root of a file system. */
const LOST_AND_FOUND = "lost+found";

/**
 * Refuses a folder that holds files of others, unless it has this kind's marker. Without a marker any file is another's.
 *
 * @throws {FileError} if there are such files; the message names one.
 */
export function refuseOtherFiles(path: string, { marker, own = [] }: Partial<FolderKind>): void {
  const names = Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
  if (marker !== undefined && names.includes(marker)) return;
  const known = [LOCK_FILE, LOST_AND_FOUND, ...own];
  const other = names.find((name) => !known.includes(name) && !isPartial(name));
  if (other === undefined) return;
  throw new FileError(
    path,
    `Cannot write ${path}: got a folder with other files (${other})${
      marker === undefined ? "" : ` and no ${marker}`
    }, need an empty or a new one`,
  );
}

/** Most differing settings that a message names. */
const NAMED = 3;

/**
 * Refuses to continue results that were begun with other settings, or from other contents.
 *
 * @param what what was begun, for the message: `a kernel`
 * @param theirs settings that the results were begun with
 * @param ours settings of this call
 * @param first names of settings that the message names first, such as those given in this call
 * @throws {FileError} if any differ; the message names three at most.
 */
export function refuseOther(
  path: string,
  what: string,
  theirs: object,
  ours: object,
  first: readonly string[] = [],
): void {
  const difference = describeDifference(theirs, ours, first);
  if (difference === undefined) return;
  throw new FileError(
    path,
    `Cannot go on with ${path}: got ${what} of other settings (${difference}), need the same; choose another folder or remove it`,
  );
}

/** Describes the settings that differ, as `momentum 0.9, now 0.5; seed 0, now 1`; undefined where none does. */
export function describeDifference(
  theirs: object,
  ours: object,
  first: readonly string[] = [],
): string | undefined {
  const [their, our] = [flatten(theirs), flatten(ours)];
  const rank = (name: string) => first.includes(name.split(".")[0]) ? 0 : 1;
  const names = [...new Set([...our.keys(), ...their.keys()])]
    .filter((name) => their.get(name) !== our.get(name))
    .sort((a, b) => rank(a) - rank(b));
  if (names.length === 0) return undefined;
  const named = names.slice(0, NAMED).map((name) =>
    `${name} ${their.get(name) ?? "unset"}, now ${our.get(name) ?? "unset"}`
  );
  const rest = names.length - named.length;
  return named.join("; ") + (rest > 0 ? `; and ${rest} more` : "");
}

/** Flattens an object into JSON values by the dotted path of their keys; values that JSON cannot hold are left out. */
function flatten(value: object, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(value).flatMap(([key, inner]) => {
      if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
        return [...flatten(inner, `${prefix}${key}.`)];
      }
      const text = JSON.stringify(inner);
      return text === undefined ? [] : [[prefix + key, text] as const];
    }),
  );
}
