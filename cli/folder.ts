/**
 * Where relative paths begin.
 *
 * @module
 */
import { isAbsolute, resolve } from "node:path";
import { say } from "./print.ts";

/** Where the user of the task `lpntk` stands: a task itself runs in the folder of its configuration. */
const FOLDER = "LPNTK_FOLDER";

/**
 * Enters the folder that the user of a task stands in; where no task has started the command line, it is in there already.
 *
 * @returns whether it could; if not, a line on standard error says why
 */
export function enterFolder(): boolean {
  const folder = Deno.env.get(FOLDER);
  if (!folder) return true;
  // processes that this one starts have a folder of their own
  Deno.env.delete(FOLDER);
  try {
    Deno.chdir(folder);
    return true;
  } catch (error) {
    say(`lpntk: Cannot enter ${folder}: ${(error as Error).message}`);
    return false;
  }
}

/** A message whose first mention of a relative path is made absolute, so that it says where was looked; the path may be a word, too. */
export function nameWhole(message: string, path: string): string {
  if (path === "" || isAbsolute(path) || URL.canParse(path)) return message;
  const name = RegExp(`(?<=^|[\\s'"(])${RegExp.escape(path)}(?=$|[\\s'"():;,/\\\\])`);
  return message.replace(name, () => resolve(path));
}
