/**
 * A kernel in one file, `K.npy`, with the files beside it that tell which samples it is of: all of them whole, or none.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { encodeNpy, explainWrite, FileError, Lease } from "../mod.ts";
import { CHOICE, nameFilesBeside } from "./arrays.ts";
import { onInterrupt } from "./interruption.ts";
import type { SampleChoice } from "./samples.ts";
import { PartialResults } from "./partial_results.ts";

/** Samples of one side of a kernel. */
interface Side {
  readonly choice: SampleChoice;
  readonly indices: Int32Array | undefined;
}

/** A kernel's file, kept from other writers. */
export class MatrixFile {
  readonly #partial: PartialResults;
  /** Names of the earlier files that are written over, or go. */
  #earlier: readonly string[] = [];

  private constructor(
    private readonly path: string,
    private readonly lease: Lease,
  ) {
    this.#partial = new PartialResults(dirname(path), `${path}.partial`, basename(path));
  }

  /**
   * Runs a job that writes a matrix, which nobody else can do meanwhile; when it fails nothing of it stays.
   *
   * @param force whether an earlier matrix may be written over
   * @throws {FileError} at once, if it cannot be written, another process does, or a matrix is there, or what tells of one.
   */
  static async fill<T>(
    path: string,
    force: boolean,
    job: (file: MatrixFile) => Promise<T>,
  ): Promise<T> {
    const file = new MatrixFile(path, await Lease.take(`${path}.lock`, path));
    using _listening = onInterrupt(() => file.#leave());
    try {
      if (file.#partial.isComplete) file.#partial.move();
      file.#earlier = file.#listEarlier(force);
      file.#partial.begin(basename(nameFilesBeside(path).columns));
      const result = await job(file);
      file.lease.check();
      await file.#partial.finish(file.#earlier);
      return result;
    } finally {
      file.#leave();
    }
  }

  /** Writes the matrix `[rows, columns]` f32, and which samples it is of. */
  async write(
    matrix: Float32Array,
    shape: readonly [number, number],
    rows: Side,
    columns: Side | undefined,
  ): Promise<void> {
    this.lease.check();
    const files = nameFilesBeside(this.path);
    const choices = { [CHOICE]: rows.choice, columnChoice: columns?.choice };
    const text = `${JSON.stringify(choices, null, 2)}\n`;
    await this.#write(files.choice, new TextEncoder().encode(text));
    const sides = [[files.rows, rows.indices], [files.columns, columns?.indices]] as const;
    for (const [path, indices] of sides) {
      if (indices) await this.#write(path, encodeNpy(indices, [indices.length]));
    }
    await this.#write(this.path, encodeNpy(matrix, shape));
  }

  #write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#partial.write(basename(path), bytes);
  }

  #listEarlier(force: boolean): string[] {
    const besides = Object.values(nameFilesBeside(this.path));
    const there = [this.path, ...besides].filter((path) => lookUp(path));
    if (there.length === 0) return [];
    const [first] = there;
    const isReplaceable = first === this.path && there.every((path) => lookUp(path)!.isFile);
    if (force && isReplaceable) return there.map((path) => basename(path));
    throw new FileError(
      first,
      `Cannot write ${this.path}: got ${first} already, need a new name; choose another --out${
        isReplaceable ? ", or --force to write over it" : ", or move it away"
      }`,
    );
  }

  #leave(): void {
    if (this.lease.isOurs()) this.#partial.discard();
    this.lease.release();
  }
}

function lookUp(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw explainWrite(path, cause);
  }
}
