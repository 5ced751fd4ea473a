/**
 * Peers in Python: a process that computes in turn with ours, and times itself (`turns.py`).
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Contender } from "../contender.ts";

/** Interpreters that are tried: the one on the path, and the system's, which knows the system's packages. */
const INTERPRETERS = ["python3", "/usr/bin/python3"];

/** Threads of a peer: as many as the adapter has, where it is the CPU itself. */
export const PEER_THREADS = navigator.hardwareConcurrency;

/** Message that `turns.py` prints. */
interface Message {
  readonly ready?: true;
  readonly ms?: number;
}

/** A peer in a process of its own; dispose it to end the process. */
export class PeerProcess implements Contender, AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #complaint: Promise<string>;
  #unread = "";

  private constructor(python: string, args: readonly string[]) {
    this.#process = new Deno.Command(python, {
      args: [...args],
      env: { OPENBLAS_NUM_THREADS: String(PEER_THREADS), PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#complaint = this.#process.stderr.text();
  }

  /**
   * Starts a script of this folder and lets it warm up.
   *
   * @returns the peer, or why there is none on this machine
   */
  static async start(script: string, args: readonly string[]): Promise<PeerProcess | string> {
    const url = new URL(script, import.meta.url);
    if (url.protocol !== "file:") return `${script} is not published; run the benches in a clone`;
    const path = fileURLToPath(url);
    let reason = "";
    for (const python of INTERPRETERS) {
      try {
        const peer = new PeerProcess(python, [path, ...args]);
        const message = await peer.#receive().catch((error: Error) => error.message);
        if (typeof message === "object") return peer;
        reason = message;
        await peer[Symbol.asyncDispose]();
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable) {
          reason ||= `Deno may not start ${python}; \`deno task bench\` may`;
        } else if (error instanceof Deno.errors.NotFound) {
          reason ||= `no ${python} on this machine`;
        } else throw error;
      }
    }
    return reason;
  }

  /** @returns the milliseconds that the peer counted itself */
  async run(repetitions: number): Promise<number> {
    const { ms } = await this.#tell(String(repetitions));
    return ms!;
  }

  async read(): Promise<Float32Array> {
    const path = await Deno.makeTempFile({ prefix: "lpntk-peer-" });
    try {
      await this.#tell(path);
      return new Float32Array((await Deno.readFile(path)).buffer);
    } finally {
      await Deno.remove(path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // a process that has ended has closed its input
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
    await this.#complaint;
    await this.#process.status;
  }

  async #tell(line: string): Promise<Message> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    return await this.#receive();
  }

  /** @throws {Error} if the process ends instead; the message is the last line that it wrote. */
  async #receive(): Promise<Message> {
    while (!this.#unread.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error((await this.#complaint).trim().split("\n").at(-1));
      this.#unread += value;
    }
    const end = this.#unread.indexOf("\n");
    const line = this.#unread.slice(0, end);
    this.#unread = this.#unread.slice(end + 1);
    return JSON.parse(line);
  }
}
