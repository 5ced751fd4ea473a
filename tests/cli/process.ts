/** What the tests of the command line share: lpntk in this process or in one of its own, and what it leaves on disk. @module */
import assert from "node:assert/strict";
import process from "node:process";
import { fileURLToPath } from "node:url";
// A process says on standard error what it downloads; imported here, everything is there before the first one runs.
import { main } from "../../cli/main.ts";
import { type NpyArray, readNpy } from "../../mod.ts";

/** The project's folder, without a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url)).replace(/[/\\]$/, "");

/** How a process ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a process is given beside its arguments. */
export interface Surroundings {
  /** Variables added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The project's folder where nothing else is said. */
  readonly cwd?: string;
  /** A minute where nothing else is said, which is far more than most need; then the process is ended. */
  readonly timeoutMs?: number;
}

/** A process of Deno with nothing on standard input. */
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

/** lpntk as a user calls it. */
export function prepareLpntk(args: readonly string[], surroundings?: Surroundings): Deno.Command {
  return prepareDeno(["run", "-A", `${ROOT}/cli/main.ts`, ...args], surroundings);
}

/** What lpntk says where it computes on the CPU; `adapter.test.ts` holds when it does. */
const ON_CPU = /^lpntk: computes on the CPU, by [^\n]+\n/m;

/** What lpntk says once a minute of a long job; `progress.test.ts` holds when it does. */
const PROGRESS = /^[^:\n]+: [\d,.]+ of [\d,.]+ [^\n]*\n/gm;

/** What was said on standard error, whichever adapter this machine has, and however long it took. */
export function withoutAdapter(stderr: string): string {
  return stderr.replace(ON_CPU, "").replace(PROGRESS, "");
}

/** Runs a process to its end; what it says of its adapter is left out. */
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

/** The call in this process that others wait for. */
let last: Promise<unknown> = Promise.resolve();

/** Runs a command in this process, one after another; paths have to be absolute. */
export function callHere(args: readonly string[]): Promise<Outcome> {
  const own = last.then(() => listen(args));
  last = own.catch(() => {});
  return own;
}

/** What a command says on the console of this process. */
async function listen(args: readonly string[]): Promise<Outcome> {
  const [log, error] = [console.log, console.error];
  const { stdout, stderr } = process;
  const [write, complain] = [stdout.write, stderr.write];
  const said = { stdout: "", stderr: "" };
  console.log = (...words) => said.stdout += `${words.join(" ")}\n`;
  console.error = (...words) => said.stderr += `${words.join(" ")}\n`;
  // where commander prints help
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
 * Runs lpntk as a test has to: in this process, where no start, no loading and no shader that is compiled again keeps the test waiting, or
 * where it is given other surroundings than this process has, in one of its own.
 */
export function runLpntk(args: readonly string[], surroundings?: Surroundings): Promise<Outcome> {
  return surroundings ? finish(prepareLpntk(args, surroundings)) : callHere(args);
}

/** A {@linkcode runLpntk} that must succeed, as {@linkcode expectSuccess} has it. */
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

/** Names of the entries of a folder, sorted. */
export async function listFolder(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

/** Every file below a folder with the SHA-256 of its bytes, and every folder. */
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
