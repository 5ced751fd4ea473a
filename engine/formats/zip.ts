/** Members of zip archives, stored or deflated, zip64 where they are large. @module */

import { crc32 } from "node:zlib";
import yauzl from "npm:yauzl@3.4.0";
import { FileError } from "../errors.ts";
import { allocate, InputFile } from "../files/file.ts";
import { describeName } from "../options.ts";
import { MOST_RATIO } from "./gzip.ts";

/** What the archive's directory says of a member. */
interface Entry {
  readonly fileName: string;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
  readonly crc32: number;
  canDecodeFileData(): boolean;
}

/** An archive as the library opens it. */
interface Archive {
  eachEntry(): AsyncIterable<Entry>;
  openReadStreamPromise(entry: Entry): Promise<AsyncIterable<Uint8Array>>;
  close(): void;
}

/** A zip archive that is open for reading; dispose it to close it. Of its members only those that are asked for are read. */
export class ZipArchive implements Disposable {
  private constructor(
    readonly path: string,
    private readonly kind: string,
    private readonly archive: Archive,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /**
   * Opens an archive and reads its directory.
   *
   * @param kind what the file should be, for the error: "a NumPy .npz file"
   * @throws {FileError} when the file is missing, no regular file, no zip archive, or has two members of one name
   */
  static async open(path: string, kind: string): Promise<ZipArchive> {
    // refuses what is no regular file, with the project's words
    (await InputFile.open(path, kind))[Symbol.dispose]();
    let archive: Archive | undefined;
    try {
      archive = await yauzl.openPromise(path, { autoClose: false }) as Archive;
      const entries = new Map<string, Entry>();
      for await (const entry of archive.eachEntry()) {
        if (entries.has(entry.fileName)) {
          throw new Error(`two members ${describeName(entry.fileName)}`);
        }
        entries.set(entry.fileName, entry);
      }
      return new ZipArchive(path, kind, archive, entries);
    } catch (cause) {
      archive?.close();
      throw explain(path, kind, cause);
    }
  }

  /** Names of the members, in their order. */
  get names(): string[] {
    return [...this.entries.keys()];
  }

  /**
   * Reads a member whole.
   *
   * @throws {FileError} when the member is missing, encrypted, compressed otherwise than by deflate, larger or smaller than the directory says, or
   * its checksum differs
   */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.entries.get(name);
    if (!entry) {
      throw new FileError(
        this.path,
        `Cannot read ${this.path}: got no ${name} in it, need ${this.kind}`,
      );
    }
    try {
      if (!entry.canDecodeFileData()) throw new Error(`${name} encrypted or not deflated`);
      const { compressedSize, uncompressedSize } = entry;
      if (uncompressedSize > MOST_RATIO * compressedSize) {
        throw new Error(
          `${name} of ${uncompressedSize} bytes, more than its ${compressedSize} can hold`,
        );
      }
      const bytes = allocate(this.path, uncompressedSize);
      let [length, checksum] = [0, 0];
      for await (const piece of await this.archive.openReadStreamPromise(entry)) {
        bytes.set(piece, length);
        length += piece.length;
        checksum = crc32(piece, checksum);
      }
      if (checksum !== entry.crc32) throw new Error(`${name} with a wrong checksum`);
      return bytes;
    } catch (cause) {
      throw explain(this.path, this.kind, cause);
    }
  }

  [Symbol.dispose](): void {
    this.archive.close();
  }
}

function explain(path: string, kind: string, cause: unknown): FileError {
  if (cause instanceof FileError) return cause;
  const state = cause instanceof Error ? cause.message : String(cause);
  return new FileError(
    path,
    `Cannot read ${path}: got a zip archive that is broken or not supported (${
      describeName(state.replace(/\.$/, ""))
    }), need ${kind}`,
    { cause },
  );
}
