/**
 * The folder in which relative paths begin.
 *
 * @module
 */
import { isAbsolute, resolve } from "node:path";
import { say } from "./print.ts";

/** Environment variable with the folder in which the user called the task `lpntk`: a task itself runs in the folder of its configuration. */
const FOLDER = "LPNTK_FOLDER";

/**
 * Enters the folder in which the user called the task; without a task the process is there already.
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

/**
 * Makes the first mention of a relative path in a message absolute, so that it tells where the path was looked for. A path may be a common word, so
 * that a mention counts only between delimiters.
 */
export function nameWhole(message: string, path: string): string {
  if (path === "" || isAbsolute(path) || URL.canParse(path)) return message;
  const name = RegExp(`(?<=^|[\\s'"(])${RegExp.escape(path)}(?=$|[\\s'"():;,/\\\\])`);
  return message.replace(name, () => resolve(path));
}
