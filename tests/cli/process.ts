/** Tools of the command line's tests: lpntk in this process or in one of its own, and what it leaves on disk. @module */
import assert from "node:assert/strict";
import process from "node:process";
import { fileURLToPath } from "node:url";
// Imported here so that everything is downloaded before the first process runs, which would say so on standard error.
import { main } from "../../cli/main.ts";
import { type NpyArray, readNpy } from "../../mod.ts";

/** The project's folder, without a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url)).replace(/[/\\]$/, "");

/** Exit code and output of a process. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Surroundings of a process beside its arguments. */
export interface Surroundings {
  /** Variables added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working folder. Default: the project's. */
  readonly cwd?: string;
  /** Time after which the process is ended. Default: a minute, which is far more than most need. */
  readonly timeoutMs?: number;
}

/** Prepares a process of Deno with nothing on standard input. */
export function prepareDeno(
  args: readonly string[],
  { env = {}, cwd = ROOT, timeoutMs = 60_000 }: Surroundings = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", ...env },
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(timeoutMs),
  });
}

/** Prepares lpntk as a user calls it. */
export function prepareLpntk(args: readonly string[], surroundings?: Surroundings): Deno.Command {
  return prepareDeno(["run", "-A", `${ROOT}/cli/main.ts`, ...args], surroundings);
}

/** Pattern of lpntk's line when it computes on the CPU; `adapter.test.ts` tests when that is. */
const ON_CPU = /^lpntk: computes on the CPU, by [^\n]+\n/m;

/** Pattern of lpntk's line once a minute in a long job; `progress.test.ts` tests when that is. */
const PROGRESS = /^[^:\n]+: [\d,.]+ of [\d,.]+ [^\n]*\n/gm;

/** Removes from standard error the lines about the adapter and the progress. */
export function withoutAdapter(stderr: string): string {
  return stderr.replace(ON_CPU, "").replace(PROGRESS, "");
}

/** Runs a process to its end; its lines about the adapter are left out. */
export async function finish(command: Deno.Command): Promise<Outcome> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: withoutAdapter(decoder.decode(stderr)) };
}

/**
 * Runs a process that must succeed.
 *
 * @returns what it printed
 * @throws {Error} if it exits with another code than 0, or writes anything to standard error.
 */
export async function expectSuccess(command: Deno.Command): Promise<string> {
  return assertSuccess(await finish(command));
}

function assertSuccess({ code, stdout, stderr }: Outcome): string {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, `exit code ${code}: ${stderr}`);
  return stdout;
}

/** Latest call in this process, for which later ones wait. */
let last: Promise<unknown> = Promise.resolve();

/** Runs a command in this process, one after another; paths have to be absolute. */
export function callHere(args: readonly string[]): Promise<Outcome> {
  const own = last.then(() => listen(args));
  last = own.catch(() => {});
  return own;
}

/** Runs a command and records what it prints on the console of this process. */
async function listen(args: readonly string[]): Promise<Outcome> {
  const [log, error] = [console.log, console.error];
  const { stdout, stderr } = process;
  const [write, complain] = [stdout.write, stderr.write];
  const said = { stdout: "", stderr: "" };
  console.log = (...words) => said.stdout += `${words.join(" ")}\n`;
  console.error = (...words) => said.stderr += `${words.join(" ")}\n`;
  // commander prints help through this stream
  stdout.write = (text) => Boolean(said.stdout += text);
  stderr.write = (text) => Boolean(said.stderr += text);
  try {
    const code = await main(args);
    return { code, stdout: said.stdout, stderr: withoutAdapter(said.stderr) };
  } finally {
    [console.log, console.error] = [log, error];
    [stdout.write, stderr.write] = [write, complain];
  }
}

/**
 * Runs lpntk for a test: in this process, which saves start, loading and compilation, or in a process of its own if it is given other surroundings.
 */
export function runLpntk(args: readonly string[], surroundings?: Surroundings): Promise<Outcome> {
  return surroundings ? finish(prepareLpntk(args, surroundings)) : callHere(args);
}

/** Runs lpntk as {@linkcode runLpntk} does; it must succeed, as {@linkcode expectSuccess} demands. */
export async function succeed(
  args: readonly string[],
  surroundings?: Surroundings,
): Promise<string> {
  return assertSuccess(await runLpntk(args, surroundings));
}

/** Asserts that a command failed with exit code 1 and one line that holds all of `says`. */
export function assertRefused({ code, stdout, stderr }: Outcome, ...says: readonly string[]): void {
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
  assert.match(stderr, /^lpntk: [^\n]+\n$/);
  for (const part of says) assert.ok(stderr.includes(part), stderr);
}

/** Reads a `.npy` file that must hold an array of this type and shape. */
export async function readArray<T extends NpyArray["data"]>(
  path: string,
  type: new (length: number) => T,
  shape: readonly number[],
): Promise<T> {
  const array = await readNpy(path);
  assert.equal(array.data.constructor, type, `type of ${path}`);
  assert.deepEqual(array.shape, shape, `shape of ${path}`);
  return array.data as T;
}

/** Reads a JSON file. */
export async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(path));
}

/** Lists the names of a folder's entries, sorted. */
export async function listFolder(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

/** Lists every file below a folder with the SHA-256 of its bytes, and every folder. */
export async function fingerprint(path: string, prefix = ""): Promise<Record<string, string>> {
  const prints: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    const [from, to] = [`${path}/${name}`, `${prefix}${name}`];
    if (isDirectory) Object.assign(prints, { [`${to}/`]: "" }, await fingerprint(from, `${to}/`));
    else {
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(from));
      prints[to] = new Uint8Array(digest).toHex();
    }
  }
  return prints;
}
