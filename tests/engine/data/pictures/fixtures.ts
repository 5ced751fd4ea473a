/** Folders of pictures for tests. @module */
import { dirname } from "node:path";
import { encode } from "npm:fast-png@8.0.0";
import type { PictureOptions } from "../../../../engine/data/pictures/decoding.ts";
import { PictureCache } from "../../../../engine/data/pictures/cache.ts";
import type { PictureListing } from "../../../../engine/data/pictures/listing.ts";
import { readPictures } from "../../../../engine/data/pictures/pictures.ts";
import type { Dataset, Split } from "../../../../engine/data/dataset.ts";
import { openTempFolder } from "../../../temp_folder.ts";

/** Content of a file: a picture's pixels, `[H][W]` of grey or `[H][W][C]`, or bytes, or a text. */
export type Content = number[][] | number[][][] | Uint8Array | string;

/** Encodes pixels as PNG of 8 bits. */
export function encodePixels(pixels: number[][] | number[][][]): Uint8Array {
  const [height, width] = [pixels.length, pixels[0].length];
  const data = Uint8Array.from(pixels.flat(3 as 2) as number[]);
  const channels = data.length / (height * width);
  return encode({ width, height, data, channels, depth: 8 });
}

/** Writes files below a folder. */
export async function writeFiles(root: string, files: Record<string, Content>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = `${root}/${name}`;
    await Deno.mkdir(dirname(path), { recursive: true });
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content instanceof Uint8Array
      ? content
      : encodePixels(content);
    await Deno.writeFile(path, bytes);
  }
}

/** Waits until every change of a file is so long ago that decoded pictures are kept. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1010 - Date.now() % 1000));
}

/** A folder of pictures with a cache folder of its own, removed at the end of the block. */
export async function openPictures(files: Record<string, Content>) {
  const folder = await openTempFolder();
  const [path, cache] = [`${folder.path}/pictures`, `${folder.path}/cache`];
  await writeFiles(path, files);
  return {
    path,
    cache,
    /** Reads a split, and collects the notes. */
    async read(
      split: Split = "train",
      options: PictureOptions = {},
      mostBytes?: number,
    ): Promise<{ readonly data: Dataset; readonly notes: readonly string[] }> {
      const notes: string[] = [];
      const makeCache = (place: string, key: Pick<PictureListing, "classNames" | "files">) =>
        new PictureCache(place, key, options.imageSize, cache, mostBytes);
      const onNote = (note: string) => notes.push(note.replaceAll(path, "PATH"));
      const data = await readPictures(path, split, { onNote, ...options }, makeCache);
      return { data, notes };
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A grey picture of one pixel. */
export function grey(value: number): number[][] {
  return [[value]];
}
