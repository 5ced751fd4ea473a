/**
 * Many pictures of one data set, decoded into arrays: of one size, grey where all of them are, else of three channels.
 *
 * @module
 */
import { FileError, PictureSizesError } from "../../errors.ts";
import { allocate } from "../../files/file.ts";
import {
  decodePicture,
  type Picture,
  PictureError,
  type PictureHeader,
  readPictureHeader,
  resizePicture,
} from "../../formats/picture.ts";
import { type CallOptions, interruptBy } from "../../gpu/pace.ts";
import { checkNumber, describeName, describeValue, isCount } from "../../options.ts";
import type { Dataset, Split } from "../dataset.ts";

/** How pictures are read. Progress is in pictures. */
export interface PictureOptions extends CallOptions {
  /** Height and width that every picture is resized to. Default: as they are, which have to be of one size. */
  readonly imageSize?: readonly [height: number, width: number];
  /** Whether the first picture that cannot be read is an error. Default: where there is no `onNote`, since nobody would hear of it. */
  readonly strict?: boolean;
  /** Callback that hears in a sentence of what was left out or changed: pictures that cannot be read, files of no class, flattened pictures. */
  readonly onNote?: (note: string) => void;
  /** Callback that hears in which folder of the cache folder the decoded pictures are kept, where they are. */
  readonly onKept?: (folder: string) => void;
}

/** A picture of a data set before it is decoded. */
export interface EncodedPicture {
  readonly split: Split;
  /** Name in the data set, as {@link Dataset.files} has it. */
  readonly file: string;
  readonly label: number;
  /** Bytes of a PNG or JPEG, or why there are none. */
  readonly content: Uint8Array | PictureError;
}

/** Samples of one split. */
export type DecodedSplit = Required<Pick<Dataset, "images" | "files" | "shape">> & {
  readonly labels: readonly number[];
};

/** What was found while pictures were decoded. */
export interface PictureFindings {
  /** Number of pictures that there were. */
  readonly count: number;
  /** Those that cannot be read, with the state that was found and what is needed. */
  readonly broken: readonly { readonly file: string; readonly state: string }[];
  /** Number of pictures with transparent pixels, which were flattened on white. */
  readonly flattened: number;
  /** Number of pictures of 16 bits, of which the upper 8 were kept. */
  readonly deep: number;
}

/** Decoded pictures; a split without a picture is absent. */
export interface DecodedPictures {
  readonly splits: { readonly [split in Split]?: DecodedSplit };
  readonly findings: PictureFindings;
}

/**
 * Decodes the pictures of a data set, of both splits together: they have one size, and three channels unless all of them are grey. Those that
 * cannot be read are left out, and found in the `findings`. Memory holds the result and one picture; where the first coloured picture comes
 * late, a third more for a moment.
 *
 * @param path of the data set, for errors
 * @param pictures in the order of the samples
 * @param counts number of pictures that come of each split
 * @throws {PictureSizesError} when the pictures have several sizes and `imageSize` is not given; the message counts them
 * @throws {FileError} when none can be read, or memory does not suffice
 */
export async function decodePictures(
  path: string,
  pictures: AsyncIterable<EncodedPicture>,
  counts: { readonly [split in Split]?: number },
  { imageSize, ...call }: Pick<PictureOptions, "imageSize" | keyof CallOptions>,
): Promise<DecodedPictures> {
  checkImageSize(`read ${path}`, imageSize);
  const report = interruptBy(call);
  const total = (counts.train ?? 0) + (counts.test ?? 0);
  const pile = new Pile(path, counts, imageSize);
  for await (const picture of pictures) {
    await pile.add(picture);
    report?.(pile.count, total);
  }
  return pile.finish();
}

/** @throws {RangeError} unless the size is undefined, or two positive integers. */
export function checkImageSize(action: string, size: unknown): void {
  if (size === undefined) return;
  if (!Array.isArray(size) || size.length !== 2) {
    throw new RangeError(
      `Cannot ${action}: got imageSize ${describeValue(size)}, need [height, width]`,
    );
  }
  for (const length of size) {
    checkNumber(action, "a length of imageSize", length, isCount, "an integer of at least 1");
  }
}

/** Most broken pictures that are named; the rest is counted. */
const NAMED = 5;

/**
 * Says what was found.
 *
 * @throws {FileError} when a picture cannot be read, and `strict` asks for all
 */
export function tellFindings(
  path: string,
  { broken, count, flattened, deep }: PictureFindings,
  { onNote, strict = !onNote }: PictureOptions,
): void {
  if (strict && broken.length > 0) throw refuseBroken(path, broken[0]);
  for (const { file, state } of broken.slice(0, NAMED)) {
    onNote?.(`left out ${describeName(file)}: ${state}`);
  }
  const ofAll = `of ${count} pictures of ${path}`;
  if (broken.length > 0) onNote?.(`left out ${broken.length} ${ofAll} that cannot be read`);
  if (flattened > 0) onNote?.(`flattened ${flattened} ${ofAll} on white: they are transparent`);
  if (deep > 0) onNote?.(`kept the upper 8 of 16 bits in ${deep} ${ofAll}`);
}

function refuseBroken(path: string, { file, state }: PictureFindings["broken"][number]): FileError {
  return new FileError(path, `Cannot read picture ${describeName(file)} of ${path}: ${state}`);
}

/** Pictures that come one after another. */
class Pile {
  count = 0;
  readonly #sizes = new Map<string, number>();
  readonly #broken: { file: string; state: string }[] = [];
  readonly #stacks = new Map<Split, Stack>();
  #size: readonly [height: number, width: number] | undefined;
  #flattened = 0;
  #deep = 0;

  constructor(
    private readonly path: string,
    private readonly counts: { readonly [split in Split]?: number },
    private readonly imageSize: PictureOptions["imageSize"],
  ) {
    this.#size = imageSize;
  }

  async add({ content, ...sample }: EncodedPicture): Promise<void> {
    this.count++;
    try {
      if (content instanceof PictureError) throw content;
      const header = readPictureHeader(content);
      const picture = await this.#decode(content, header);
      if (header.depth > 8) this.#deep++;
      const name = `${header.height}x${header.width}`;
      this.#sizes.set(name, (this.#sizes.get(name) ?? 0) + 1);
      if (picture) this.#keep(picture, sample);
    } catch (error) {
      if (!(error instanceof PictureError)) throw error;
      this.#broken.push({ file: sample.file, state: error.message });
    }
  }

  finish(): DecodedPictures {
    if (this.#stacks.size === 0 && this.#broken.length > 0) {
      throw refuseBroken(this.path, this.#broken[0]);
    }
    if (!this.imageSize && this.#sizes.size > 1) throw this.#refuseSizes();
    const stacks = [...this.#stacks.values()];
    if (stacks.some(({ channels }) => channels === 3)) stacks.forEach((stack) => stack.widen());
    return {
      splits: Object.fromEntries(
        Array.from(this.#stacks, ([split, stack]) => [split, stack.finish()]),
      ),
      findings: {
        count: this.count,
        broken: this.#broken,
        flattened: this.#flattened,
        deep: this.#deep,
      },
    };
  }

  /** Decodes a picture to the common size; undefined where that is lost, and only sizes are counted. */
  async #decode(content: Uint8Array, header: PictureHeader): Promise<Picture | undefined> {
    this.#size ??= [header.height, header.width];
    const [height, width] = this.#size;
    const fits = header.height === height && header.width === width;
    if (!this.imageSize && (!fits || this.#sizes.size > 1)) return undefined;
    const picture = await decodePicture(content);
    return await resizePicture(picture, height, width);
  }

  #keep(picture: Picture, { split, file, label }: Omit<EncodedPicture, "content">): void {
    if (picture.isFlattened) this.#flattened++;
    let stack = this.#stacks.get(split);
    if (!stack) {
      stack = new Stack(this.path, this.counts[split] ?? 0, picture.height, picture.width);
      this.#stacks.set(split, stack);
    }
    stack.add(picture, file, label);
  }

  #refuseSizes(): PictureSizesError {
    const sizes = [...this.#sizes].sort(([, a], [, b]) => b - a);
    const [height, width] = sizes[0][0].split("x").map(Number);
    const rest = sizes.length - NAMED;
    const listed = sizes.slice(0, NAMED).map(([size, count]) => `${count} of ${size}`).join(", ") +
      (rest > 0 ? ` and ${rest} sizes more` : "");
    return new PictureSizesError(
      `Cannot use data set ${this.path}: got pictures of ${sizes.length} sizes (height x width): ${listed}, ` +
        `need one; imageSize: [${height}, ${width}] resizes them`,
      [height, width],
    );
  }
}

/** Samples of one split, with one channel until the first coloured one comes. */
class Stack {
  channels: 1 | 3 = 1;
  #images: Uint8Array<ArrayBuffer>;
  readonly #labels: number[] = [];
  readonly #files: string[] = [];

  constructor(
    private readonly path: string,
    private readonly capacity: number,
    private readonly height: number,
    private readonly width: number,
  ) {
    this.#images = allocate(path, capacity * height * width);
  }

  get #pixels(): number {
    return this.height * this.width;
  }

  add({ pixels, channels }: Picture, file: string, label: number): void {
    if (channels > this.channels) this.widen();
    const start = this.#labels.length * this.#pixels * this.channels;
    this.#images.set(channels === this.channels ? pixels : spreadGrey(pixels), start);
    this.#labels.push(label);
    this.#files.push(file);
  }

  /** Makes every grey pixel one of three equal channels. */
  widen(): void {
    if (this.channels === 3) return;
    const grey = this.#images.subarray(0, this.#labels.length * this.#pixels);
    const images = allocate(this.path, 3 * this.capacity * this.#pixels);
    spreadGrey(grey, images);
    this.#images = images;
    this.channels = 3;
  }

  finish(): DecodedSplit {
    const { height, width, channels } = this;
    const used = this.#labels.length * this.#pixels * channels;
    return {
      images: used === this.#images.length ? this.#images : this.#images.slice(0, used),
      labels: this.#labels,
      files: this.#files,
      shape: [height, width, channels],
    };
  }
}

/** Spreads grey pixels over three channels. */
function spreadGrey(grey: Uint8Array, pixels = new Uint8Array(3 * grey.length)): Uint8Array {
  for (let i = 0; i < grey.length; i++) {
    pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = grey[i];
  }
  return pixels;
}
