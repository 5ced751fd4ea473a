/**
 * Folders of results: which may be filled, and by whom they were begun.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import { isPartial } from "./file.ts";

/** What tells a folder of results from any other. */
export interface FolderKind {
  /** Name of the file by which a folder is one of these. */
  readonly marker: string;
  /** What else of ours a folder may hold before that file stands in it. */
  readonly own?: readonly string[];
}

/** Name of the lock file in a folder of results. */
export const LOCK_FILE = ".lock";

/** The root of a file system of its own may hold it, though nobody has put anything there. */
const LOST_AND_FOUND = "lost+found";

/**
 * Refuses a folder with anything in it that is not ours, unless it is one of results.
 *
 * @throws {FileError} which names one of the other files.
 */
export function refuseOtherFiles(path: string, { marker, own = [] }: FolderKind): void {
  const names = Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
  if (names.includes(marker)) return;
  const known = [LOCK_FILE, LOST_AND_FOUND, ...own];
  const other = names.find((name) => !known.includes(name) && !isPartial(name));
  if (other === undefined) return;
  throw new FileError(
    path,
    `Cannot write ${path}: got a folder with other files (${other}) and no ${marker}, need an empty or a new one`,
  );
}

/** Values that differ are named up to so many. */
const NAMED = 3;

/**
 * Refuses to go on with what was begun with other settings, or from other contents.
 *
 * @param what was begun, for the message: `a kernel`
 * @param first settings that are named before others that differ, as what was said in this call
 * @throws {FileError} which names those that differ, three at most.
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

/** Settings that differ, as `momentum 0.9, now 0.5; seed 0, now 1`; undefined where none does. */
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

/** Values as JSON by the dotted path of their keys; what JSON would lose is unset. */
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
