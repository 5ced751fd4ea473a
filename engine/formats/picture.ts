/**
 * Pictures in PNG and JPEG: decoded to the pixels that libpng and libjpeg-turbo give, and resized. What a file is its first bytes say, not its name.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import openMozJpeg, { type MozJPEGModule } from "npm:@jsquash/jpeg@1.6.0/codec/dec/mozjpeg_dec.js";
import openPng, { decode as decodePng } from "npm:@jsquash/png@3.1.1/codec/pkg/squoosh_png.js";
import openResize, {
  resize as resizeRgba,
} from "npm:@jsquash/resize@2.1.1/lib/resize/pkg/squoosh_resize.js";

/** WebAssembly of the packages, which they do not export as modules. */
const WASM = {
  jpeg: "npm:@jsquash/jpeg@1.6.0/codec/dec/mozjpeg_dec.wasm",
  png: "npm:@jsquash/png@3.1.1/codec/pkg/squoosh_png_bg.wasm",
  resize: "npm:@jsquash/resize@2.1.1/lib/resize/pkg/squoosh_resize_bg.wasm",
};

/** Most pixels of a picture: 8,192 x 8,192, which take 256 MiB as RGBA. */
export const MOST_PIXELS = 2 ** 26;

/** Bytes of the largest file that is read as a picture. */
export const MOST_PICTURE_BYTES = 2 ** 28;

/** What is wrong with a picture: the end of an error's message, `got ..., need ...`. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

/** What the header of a picture says. */
export interface PictureHeader {
  readonly format: "PNG" | "JPEG";
  readonly height: number;
  readonly width: number;
  /** Whether its pixels are grey, with or without transparency; a palette counts as colour, whatever colours it has. */
  readonly isGrey: boolean;
  /** Bits of a channel. */
  readonly depth: number;
}

/** A decoded picture. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  /** 1 where the file is grey, else 3. */
  readonly channels: 1 | 3;
  /** Pixels `[H, W, C]` u8, row-major. */
  readonly pixels: Uint8Array;
  /** Whether some pixel was transparent, and flattened on white. */
  readonly isFlattened: boolean;
}

/** What the decoders return. Deno's own types, which other projects are checked with, allow for float16 there too. */
type Rgba = ImageData["data"];

const NEED = "a PNG or JPEG picture";

/**
 * Reads what kind of picture this is and how large, without decoding it.
 *
 * @throws {PictureError} when it is no PNG or JPEG, of a kind that is not supported, cut off or damaged as far as its chunks tell, or larger
 * than {@link MOST_PIXELS}
 */
export function readPictureHeader(bytes: Uint8Array): PictureHeader {
  if (bytes.length === 0) throw new PictureError(`got an empty file, need ${NEED}`);
  const header = isPng(bytes)
    ? readPngHeader(bytes)
    : bytes[0] === 0xff && bytes[1] === 0xd8
    ? readJpegHeader(bytes)
    : undefined;
  if (!header) throw new PictureError(`got ${nameFormat(bytes)}, need ${NEED}`);
  const { format, height, width } = header;
  if (height * width === 0 || height * width > MOST_PIXELS) {
    throw new PictureError(
      `got a ${format} of ${height} x ${width} pixels, need 1 to ${MOST_PIXELS} pixels`,
    );
  }
  return header;
}

/**
 * Decodes a PNG or JPEG.
 *
 * A grey picture has one channel, every other three. Of 16 bits the upper 8 are kept, as libpng's `png_set_strip_16` and PIL do; 1, 2 and 4 bits
 * are spread over 0..255. A transparent pixel c of opacity a becomes (a c + 255 (255 - a)) / 255, rounded. Of an animation the default picture
 * is taken. The orientation that EXIF data ask for is ignored, as by `PIL.Image.open` and torchvision. Costs about 5 ns a byte of RGBA.
 *
 * @throws {PictureError} as {@link readPictureHeader} does, or when the data are broken
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const { format, height, width, isGrey } = readPictureHeader(bytes);
  const rgba = format === "PNG" ? await decodePngRgba(bytes) : await decodeJpegRgba(bytes);
  if (rgba.length !== 4 * height * width) {
    throw new PictureError(`got a ${format} that is not of the size in its header, need one`);
  }
  const isFlattened = flatten(rgba);
  const channels = isGrey ? 1 : 3;
  return { height, width, channels, pixels: takeChannels(rgba, channels), isFlattened };
}

/**
 * Resizes a picture by the triangle filter: bilinear interpolation, over all pixels that an output pixel covers where the picture becomes
 * smaller, as `PIL.Image.resize` and torchvision's `Resize` do by default. A picture of that size is returned as it is.
 */
export async function resizePicture(
  picture: Picture,
  height: number,
  width: number,
): Promise<Picture> {
  if (picture.height === height && picture.width === width) return picture;
  await (resizer ??= readPackaged(WASM.resize).then(openResize));
  const rgba = resizeRgba(
    spreadToRgba(picture),
    picture.width,
    picture.height,
    width,
    height,
    0, // the triangle filter
    false,
    false,
  );
  return { ...picture, height, width, pixels: takeChannels(rgba, picture.channels) };
}

let png: Promise<unknown> | undefined;
let jpeg: Promise<MozJPEGModule> | undefined;
let jpegBinary: Promise<Uint8Array<ArrayBuffer>> | undefined;
let resizer: Promise<unknown> | undefined;

function readPackaged(specifier: string): Promise<Uint8Array<ArrayBuffer>> {
  return Deno.readFile(new URL(import.meta.resolve(specifier)));
}

async function decodePngRgba(bytes: Uint8Array): Promise<Rgba> {
  await (png ??= readPackaged(WASM.png).then(openPng));
  try {
    return decodePng(bytes).data;
  } catch (cause) {
    throw new PictureError("got a PNG with broken data, need a sound one", { cause });
  }
}

/** Lines that the JPEG decoder has printed of the picture at hand. */
let complaints: string[] = [];

async function openJpeg(): Promise<MozJPEGModule> {
  const wasmBinary = await (jpegBinary ??= readPackaged(WASM.jpeg));
  const overrides = {
    noInitialRun: true,
    wasmBinary,
    printErr: (line: string) => complaints.push(line),
  };
  return await openMozJpeg(overrides);
}

async function decodeJpegRgba(bytes: Uint8Array<ArrayBufferLike>): Promise<Rgba> {
  const decoder = await (jpeg ??= openJpeg());
  complaints = [];
  let image: ImageData | null = null;
  try {
    image = decoder.decode(bytes as Uint8Array<ArrayBuffer>, false);
  } catch {
    // the decoder has ended like a program, and its memory is lost: the next picture gets another
    jpeg = undefined;
  }
  // the rest of a picture that is cut off would be grey
  const isCut = complaints.some((line) => line.includes("Premature end"));
  if (image && !isCut) return image.data;
  throw new PictureError(
    isCut
      ? "got a JPEG that is cut off, need a whole one"
      : `got a JPEG with broken data (${complaints.at(-1) ?? "no reason given"}), need a sound one`,
  );
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function isPng(bytes: Uint8Array): boolean {
  return PNG_SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/** Reads the header of a PNG, and checks that its chunks are whole: the decoder would not free its memory on failure. */
function readPngHeader(bytes: Uint8Array): PictureHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let packedBytes = 0;
  for (let start = PNG_SIGNATURE.length;;) {
    const end = start + 12 + (start + 8 <= bytes.length ? view.getUint32(start) : Infinity);
    if (end > bytes.length) throw new PictureError("got a PNG that is cut off, need a whole one");
    if (crc32(bytes.subarray(start + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw new PictureError("got a PNG with a wrong checksum, need a sound one");
    }
    const kind = view.getUint32(start + 4);
    if (kind === IEND) break;
    if (kind === IDAT) packedBytes += view.getUint32(start);
    start = end;
  }
  if (view.getUint32(12) !== IHDR) {
    throw new PictureError("got a PNG without a header, need a sound one");
  }
  const [depth, colour] = bytes.subarray(24, 26);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  // eight bytes a pixel at most; data that were not packed at all would take hardly more, and others could unpack to a thousand times as much
  if (packedBytes > MOST_PACKED_BYTES + 16 * height * width) {
    throw new PictureError(
      `got a PNG with ${packedBytes} bytes of data for ${height} x ${width} pixels, need fewer`,
    );
  }
  return { format: "PNG", height, width, isGrey: colour === 0 || colour === 4, depth };
}

/** Bytes of packed data that a PNG of few pixels may have. */
const MOST_PACKED_BYTES = 2 ** 16;

const IHDR = 0x49484452;
const IDAT = 0x49444154;
const IEND = 0x49454e44;

/** Finds the frame header of a JPEG among its segments. */
function readJpegHeader(bytes: Uint8Array): PictureHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1];
    // markers may be filled up
    if (marker === 0xff) at++;
    else if (!isFrameMarker(marker)) at += 2 + view.getUint16(at + 2);
    else {
      const [depth, height, width] = [
        bytes[at + 4],
        view.getUint16(at + 5),
        view.getUint16(at + 7),
      ];
      const components = bytes[at + 9];
      if (components === 4) {
        throw new PictureError("got a JPEG in CMYK, need one in grey or RGB; convert it");
      }
      return { format: "JPEG", height, width, isGrey: components === 1, depth };
    }
  }
  throw new PictureError("got a JPEG without a frame header, need a whole one");
}

/** Returns whether a marker begins a frame, SOF0 to SOF15 without the tables that stand among them. */
function isFrameMarker(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

/** First bytes of other formats, by their names. */
const OTHER_FORMATS: readonly (readonly [name: string, offset: number, signature: string])[] = [
  ["a GIF", 0, "GIF8"],
  ["a BMP", 0, "BM"],
  ["a WebP", 8, "WEBP"],
  ["a TIFF", 0, "II*\0"],
  ["a TIFF", 0, "MM\0*"],
  ["an AVIF", 4, "ftypavif"],
  ["a HEIC", 4, "ftypheic"],
  ["an SVG", 0, "<svg"],
];

function nameFormat(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  const found = OTHER_FORMATS.find(([, offset, signature]) => head.startsWith(signature, offset));
  return found ? found[0] : "a file that is no picture";
}

/** Flattens transparent pixels on white, in place; returns whether there were some. */
function flatten(rgba: Rgba): boolean {
  let found = false;
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3];
    if (alpha === 255) continue;
    found = true;
    for (let channel = at; channel < at + 3; channel++) {
      rgba[channel] = Math.round((rgba[channel] * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return found;
}

function takeChannels(rgba: Uint8ClampedArray | Rgba, channels: 1 | 3): Uint8Array {
  const count = rgba.length / 4;
  const pixels = new Uint8Array(count * channels);
  for (let i = 0; i < count; i++) {
    for (let channel = 0; channel < channels; channel++) {
      pixels[i * channels + channel] = rgba[4 * i + channel];
    }
  }
  return pixels;
}

function spreadToRgba({ pixels, channels }: Picture): Uint8Array {
  const count = pixels.length / channels;
  const rgba = new Uint8Array(4 * count).fill(255);
  for (let i = 0; i < count; i++) {
    for (let channel = 0; channel < 3; channel++) {
      rgba[4 * i + channel] = pixels[i * channels + Math.min(channel, channels - 1)];
    }
  }
  return rgba;
}
