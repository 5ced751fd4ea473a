/**
 * Decoded pictures in the cache folder, so that the next call need not decode them.
 *
 * An entry is a folder, named after what was decoded: in it `data`, as {@link writeFolder} writes it, and the findings. It appears whole, so that
 * several processes may read and write it. Those that were not used for longest make room.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { z } from "npm:zod@4.6.7";
import { cacheFolder } from "../../cache_folder.ts";
import { DataError, FileError } from "../../errors.ts";
import { findState, PARTIAL, removeIfThere, writeWhole } from "../../files/file.ts";
import { readJson } from "../../formats/json.ts";
import type { Dataset, Split } from "../dataset.ts";
import { readFolder } from "../folder.ts";
import { type FolderSplits, writeFolder } from "../folder_writer.ts";
import type { PictureFindings, PictureOptions } from "./decoding.ts";
import type { PictureListing } from "./listing.ts";

/** Bytes that all entries may take together. */
const MOST_BYTES = 2 ** 32;

/** Version of how pictures are decoded and entries written; a change makes entries of earlier versions unknown. */
const VERSION = 1;

const DATA = "data";

const FINDINGS_FILE = "findings.json";

const FINDINGS = z.strictObject({
  count: z.number(),
  broken: z.array(z.strictObject({ file: z.string(), state: z.string() })),
  flattened: z.number(),
  deep: z.number(),
});

/** Decoded pictures of one split, or of both. */
export interface CacheEntry<T> {
  readonly data: T;
  readonly findings: PictureFindings;
}

/** Folder of the entries, one for each listing and size. */
export class PictureCache {
  /** Folder of the entry. */
  readonly entry: string;

  /** @throws {Error} when the environment does not tell where the cache folder is */
  constructor(
    path: string,
    { classNames, files }: Pick<PictureListing, "classNames" | "files">,
    imageSize: PictureOptions["imageSize"],
    private readonly folder = `${cacheFolder()}/pictures`,
    private readonly mostBytes = MOST_BYTES,
  ) {
    const content = JSON.stringify([VERSION, path, imageSize ?? null, classNames, files]);
    this.entry = `${folder}/${createHash("sha256").update(content).digest("hex")}`;
  }

  /** Reads a split of the entry; undefined where there is none, or it is broken. */
  async recall(split: Split): Promise<CacheEntry<Dataset> | undefined> {
    try {
      const path = `${this.entry}/${FINDINGS_FILE}`;
      const findings = FINDINGS.parse(await readJson(path, "findings of decoded pictures"));
      const data = await readFolder(`${this.entry}/${DATA}`, split);
      const now = new Date();
      await Deno.utime(this.entry, now, now);
      return { data, findings };
    } catch (error) {
      const isBroken = error instanceof FileError || error instanceof DataError ||
        error instanceof z.ZodError || error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.PermissionDenied;
      if (isBroken) return undefined;
      throw error;
    }
  }

  /**
   * Writes the entry, and removes those that were not used for longest until all take no more than they may.
   *
   * @throws {FileError} when it cannot be written, or takes more than all may; nothing is left of it then
   */
  async keep({ data, findings }: CacheEntry<FolderSplits>): Promise<void> {
    const sizeBytes = data.train.images.byteLength + (data.test?.images.byteLength ?? 0);
    if (sizeBytes > this.mostBytes) {
      throw new FileError(
        this.entry,
        `got ${sizeBytes} bytes, need at most ${this.mostBytes}; a folder of arrays may take more`,
      );
    }
    const partial = `${this.entry}.${crypto.randomUUID().slice(0, 8)}${PARTIAL}`;
    try {
      await writeFolder(`${partial}/${DATA}`, data);
      const text = JSON.stringify(findings);
      await writeWhole(`${partial}/${FINDINGS_FILE}`, new TextEncoder().encode(text));
      // an entry of that name is broken, or of a process that was as quick
      removeIfThere(this.entry, { recursive: true });
      await Deno.rename(partial, this.entry);
    } catch (cause) {
      removeIfThere(partial, { recursive: true });
      if (await this.#isThere()) return;
      // the same text at every attempt
      const state = cause instanceof FileError ? cause.message : `got ${findState(cause).got}`;
      throw new FileError(this.entry, state.replaceAll(partial, this.entry), { cause });
    }
    await this.#makeRoom();
  }

  /** Returns whether another process has written the entry. */
  async #isThere(): Promise<boolean> {
    return await this.recall("train") !== undefined;
  }

  async #makeRoom(): Promise<void> {
    const entries: { path: string; sizeBytes: number; usedMs: number }[] = [];
    for await (const { name } of Deno.readDir(this.folder)) {
      const path = `${this.folder}/${name}`;
      entries.push({ path, ...await measure(path) });
    }
    entries.sort((a, b) => b.usedMs - a.usedMs);
    let sizeBytes = 0;
    for (const entry of entries) {
      sizeBytes += entry.sizeBytes;
      if (sizeBytes > this.mostBytes && entry.path !== this.entry) {
        removeIfThere(entry.path, { recursive: true });
      }
    }
  }
}

/** Measures a file, or all files in a folder; what other processes remove meanwhile counts nothing. */
async function measure(path: string): Promise<{ sizeBytes: number; usedMs: number }> {
  try {
    const { size, mtime, isDirectory } = await Deno.stat(path);
    let sizeBytes = isDirectory ? 0 : size;
    if (isDirectory) {
      for await (const { name } of Deno.readDir(path)) {
        sizeBytes += (await measure(`${path}/${name}`)).sizeBytes;
      }
    }
    return { sizeBytes, usedMs: mtime?.getTime() ?? 0 };
  } catch {
    return { sizeBytes: 0, usedMs: 0 };
  }
}
