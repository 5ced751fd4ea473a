/**
 * A kernel in one file, `K.npy`, with the files beside it that tell which samples it covers: all of them are written, or none.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { FileError, writeNpy } from "../mod.ts";
import { explainWrite, writeWhole } from "../engine/files/file.ts";
import { Lease } from "../engine/files/lease.ts";
import { CHOICE, nameFilesBeside } from "./arrays.ts";
import { onInterrupt } from "./interruption.ts";
import { encodeSamples, type KnownSamples } from "./known_samples.ts";
import type { SampleChoice } from "./samples.ts";
import { PartialResults } from "./partial_results.ts";

/** Samples of one side of a kernel. */
interface Side {
  readonly choice: SampleChoice;
  readonly samples: KnownSamples;
}

/** A kernel's file, under a lease that keeps other writers out. */
export class MatrixFile {
  readonly #partial: PartialResults;
  /** Names of earlier files, which are overwritten or removed. */
  #earlier: readonly string[] = [];

  private constructor(
    private readonly path: string,
    private readonly lease: Lease,
  ) {
    this.#partial = new PartialResults(dirname(path), `${path}.partial`, basename(path));
  }

  /**
   * Runs a job that writes a matrix, while no other process can; if it fails, nothing of it stays.
   *
   * @param force whether an earlier matrix may be overwritten
   * @throws {FileError} before the job, if the file cannot be written, another process writes it, or a matrix or a file that belongs beside one
   * exists.
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

  /** Writes the matrix `[rows, columns]` f32, and the files that tell which samples it covers. */
  async write(
    matrix: Float32Array,
    shape: readonly [number, number],
    rows: Side,
    columns: Side | undefined,
  ): Promise<void> {
    this.lease.check();
    const files = nameFilesBeside(this.path);
    const choices = { [CHOICE]: rows.choice, columnChoice: columns?.choice };
    const text = new TextEncoder().encode(`${JSON.stringify(choices, null, 2)}\n`);
    await this.#partial.write(basename(files.choice), (aside) => writeWhole(aside, text));
    const sides = [
      [files.rows, files.rowNames, rows.samples],
      [files.columns, files.columnNames, columns?.samples],
    ] as const;
    for (const [path, table, samples] of sides) {
      const indices = samples?.indices;
      if (!indices) continue;
      const shape = [indices.length];
      await this.#partial.write(basename(path), (aside) => writeNpy(aside, indices, shape));
      const names = new TextEncoder().encode(encodeSamples(samples, [...indices.keys()]));
      await this.#partial.write(basename(table), (aside) => writeWhole(aside, names));
    }
    await this.#partial.write(basename(this.path), (aside) => writeNpy(aside, matrix, shape));
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
