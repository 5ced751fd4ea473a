/**
 * Leases: the right to write a file or folder, for one process at a time, taken before any work, and given up by a process that is killed.
 *
 * @module
 */
import { dirname } from "node:path";
import { FileError } from "../errors.ts";
import { explainWrite, isAbsence, PARTIAL, removeIfThere } from "./file.ts";

/** Milliseconds from one sign of life (heartbeat) to the next. */
const BEAT_MS = 15_000;

/** Milliseconds without a sign of life after which a holder on another host is taken for dead. */
const STALE_MS = 120_000;

/** Most attempts to take a lock file that changes meanwhile, as where its holder is just ending. */
const ATTEMPTS = 100;

/** The process that holds a lease, as its lock file names it. */
interface Holder {
  /** Host name; absent where the process was not allowed to ask for it. */
  readonly host?: string;
  readonly process: number;
  /** Start of the lease, in ISO 8601. */
  readonly started: string;
  readonly id: string;
}

/**
 * The right to write a file or folder, until it is released.
 *
 * A lock file names the holder, and is rewritten as a sign of life. It also carries the operating system's lock, which ends with the process
 * in whatever way that ends: on one host this lock alone decides. Network file systems do not always pass it from host to host, so the lease
 * of another host is valid as long as its signs of life go on.
 */
export class Lease {
  readonly #file: Deno.FsFile;
  readonly #text: string;
  readonly #timer: ReturnType<typeof setInterval>;
  #isReleased = false;

  private constructor(
    /** The file or folder that is held, as errors name it. */
    readonly subject: string,
    private readonly path: string,
    file: Deno.FsFile,
    holder: Holder,
    /** Folders that were made for it, the outermost first. */
    private readonly made: readonly string[],
  ) {
    this.#file = file;
    this.#text = encode(holder);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  /**
   * Takes a lease, and makes the folder of its lock file.
   *
   * @param path path of the lock file
   * @param subject the file or folder that it is for
   * @throws {FileError} if another process holds it, which the message names, or it cannot be written; nothing is left then.
   */
  static async take(path: string, subject: string): Promise<Lease> {
    const made: string[] = [];
    try {
      for (let attempt = 1;; attempt++) {
        makeFolder(dirname(path), subject, made);
        const lease = await Lease.#try(path, subject, made, attempt === ATTEMPTS);
        if (lease) return lease;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } catch (cause) {
      removeMade(made);
      throw cause instanceof FileError ? cause : explainWrite(subject, cause);
    }
  }

  /** Tries once; undefined where the lock file changed meanwhile or does not name its holder yet, unless this is the last attempt. */
  static async #try(
    path: string,
    subject: string,
    made: readonly string[],
    isLast: boolean,
  ): Promise<Lease | undefined> {
    refuseForeign(path, subject);
    const file = await Deno.open(path, { read: true, write: true, create: true })
      .catch((error) => {
        // the folder was removed since we made it
        if (isAbsence(error) && !isLast) return undefined;
        throw error;
      });
    if (!file) return undefined;
    let lease: Lease | undefined;
    try {
      const isLocked = await file.tryLock(true);
      const holder = readHolder(path);
      if (!isLocked) {
        if (holder === undefined && !isLast) return undefined;
        throw refuse(subject, path, holder);
      }
      // the previous holder may have removed it between our opening and our locking
      const { ino, mtime } = await file.stat();
      if (ino !== statIfThere(path)?.ino) return undefined;
      const host = findHost();
      // a process that may not ask for its own host's name takes every named host for another
      if (holder?.host !== undefined && holder.host !== host) {
        // a time in the future is no sign of life either
        const ageMs = Math.abs(readClock(path) - Number(mtime));
        if (ageMs < STALE_MS) throw refuse(subject, path, holder, ageMs);
      }
      const us = {
        ...host === undefined ? {} : { host },
        process: Deno.pid,
        started: new Date().toISOString(),
        id: crypto.randomUUID(),
      };
      try {
        file.truncateSync();
        rewrite(file, encode(us));
      } catch (error) {
        removeIfThere(path);
        throw error;
      }
      return lease = new Lease(subject, path, file, us, made);
    } finally {
      if (!lease) file.close();
    }
  }

  /**
   * Checks that the lease is still ours, before something is written.
   *
   * @throws {FileError} if another process has taken it over, as can happen where this one was suspended.
   */
  check(): void {
    if (this.isOurs()) return;
    const holder = readHolder(this.path);
    throw new FileError(
      this.subject,
      `Cannot go on with ${this.subject}: got ${
        holder ? `${describe(holder)} at work on it` : `no ${this.path} any more`
      }, need it for this process until its end; begin anew when nobody else writes there`,
    );
  }

  /** Returns whether the lease is neither released nor taken over by another process. */
  isOurs(): boolean {
    return !this.#isReleased && readIfThere(this.path) === this.#text;
  }

  /** Releases the lease, and removes the folders that were made for it where they are empty; a second call does nothing. */
  release(): void {
    if (this.#isReleased) return;
    clearInterval(this.#timer);
    // while it is locked, so that no lock file of another process is removed
    if (this.isOurs()) removeIfThere(this.path);
    this.#isReleased = true;
    this.#file.close();
    removeMade(this.made);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #beat(): void {
    try {
      // never rewrites the lock file of a process that took over
      if (this.isOurs()) rewrite(this.#file, this.#text);
    } catch {
      // the disk may be absent for a moment; if it stays so, the next write of results fails
    }
  }
}

/** Beginnings of a lock file's text; a process that is killed may leave only a part of one. */
const BEGINNINGS = ['{"host":', '{"process":'];

/**
 * Refuses anything at the lock file's path that is no lock file, before it is opened: a link would be followed, and a pipe would block.
 *
 * @throws {FileError} if there is such a thing; the message names it.
 */
function refuseForeign(path: string, subject: string): void {
  const entry = lookUp(path);
  if (!entry) return;
  // empty where it cannot be read: opening it will explain why
  const text = entry.isFile && entry.size < 4096 ? readIfThere(path) ?? "" : "none";
  if (BEGINNINGS.some((begin) => text.startsWith(begin) || begin.startsWith(text))) return;
  throw new FileError(
    subject,
    `Cannot write ${subject}: got ${path}, which no process of lpntk wrote, need that name; move it away`,
  );
}

/** Reads the time of the file system that holds a path, in milliseconds; its clock need not be this machine's. */
function readClock(path: string): number {
  const probe = `${path}.${crypto.randomUUID().slice(0, 8)}${PARTIAL}`;
  try {
    Deno.writeTextFileSync(probe, "", { createNew: true });
    return Number(Deno.statSync(probe).mtime);
  } finally {
    removeIfThere(probe);
  }
}

/** Makes a folder and its missing parents, and adds each to `made`. */
function makeFolder(path: string, subject: string, made: string[]): void {
  const entry = statIfThere(path);
  if (entry?.isDirectory) return;
  if (!entry && lookUp(path)?.isSymlink) {
    throw new FileError(
      subject,
      `Cannot write ${subject}: got ${path}, a link to ${
        Deno.readLinkSync(path)
      }, where nothing is, need a folder there; make it, or remove the link`,
    );
  }
  const parent = dirname(path);
  if (!entry && parent !== path) makeFolder(parent, subject, made);
  try {
    Deno.mkdirSync(path);
    made.push(path);
  } catch (error) {
    // another process may have made it
    if (!(error instanceof Deno.errors.AlreadyExists && statIfThere(path)?.isDirectory)) {
      throw error;
    }
  }
}

function removeMade(made: readonly string[]): void {
  for (const path of made.toReversed()) removeIfThere(path);
}

function statIfThere(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Looks up a path itself, without following a link. */
function lookUp(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // it does not exist, or, on Windows, is locked
    return undefined;
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    const holder = JSON.parse(readIfThere(path) ?? "");
    return Number.isInteger(holder.process) ? holder : undefined;
  } catch {
    // it is being written
    return undefined;
  }
}

function encode(holder: Holder): string {
  return `${JSON.stringify(holder)}\n`;
}

/** Rewrites the file's text, which also sets the time of its last change. */
function rewrite(file: Deno.FsFile, text: string): void {
  const bytes = new TextEncoder().encode(text);
  file.seekSync(0, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** Finds this machine's name, if the process may ask for it; it never prompts. */
function findHost(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : undefined;
}

function describe({ host, process, started }: Holder): string {
  return `process ${process}${host === undefined ? "" : ` on ${host}`}, begun ${started},`;
}

function refuse(
  subject: string,
  path: string,
  holder: Holder | undefined,
  ageMs?: number,
): FileError {
  const state = holder ? `${describe(holder)} at work on it` : "another process at work on it";
  const mend = ageMs === undefined
    ? "wait for that process to end"
    : `wait for that process to end, or, where it was killed, until ${
      Math.ceil((STALE_MS - ageMs) / 1000)
    } s from now; ${path} says who it is`;
  return new FileError(
    subject,
    `Cannot write ${subject}: got ${state}, need it free; ${mend}`,
  );
}
