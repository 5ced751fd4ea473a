/** Pictures, beside the pixels that Pillow reads of them; `pictures/make.py` made the files. @module */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import fc from "fast-check";
import {
  decodePicture,
  MOST_PIXELS,
  type Picture,
  PictureError,
  readPictureHeader,
  resizePicture,
} from "../../../engine/formats/picture.ts";
import fixtures from "./pictures/pictures.json" with { type: "json" };
import { mutations } from "./mutations.ts";

const PICTURES = Object.entries(fixtures.pictures);

function read(name: keyof typeof fixtures.pictures): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(fixtures.pictures[name].file);
}

function hash(pixels: Uint8Array): string {
  return createHash("sha256").update(pixels).digest("hex");
}

Deno.test("every kind of PNG and JPEG has the pixels that Pillow reads, bit for bit", async () => {
  assert.ok(PICTURES.length > 30);
  for (const [name, { file, shape, sha256 }] of PICTURES) {
    const bytes = Uint8Array.fromBase64(file);
    const { height, width, channels, pixels, isFlattened } = await decodePicture(bytes);
    assert.deepEqual([height, width, channels], shape, name);
    assert.equal(hash(pixels), sha256, name);
    assert.equal(isFlattened, /LA|RGBA|transparent/.test(name), name);
    const header = readPictureHeader(bytes);
    assert.deepEqual([header.height, header.width, header.isGrey ? 1 : 3], shape, name);
    assert.equal(header.depth > 8, name.includes("16 bits"), name);
  }
});

Deno.test("other formats are refused by name", async () => {
  const states: Record<string, RegExp> = {
    "jpeg in CMYK": /^got a JPEG in CMYK, need/,
    gif: /^got a GIF, need a PNG or JPEG/,
    bmp: /^got a BMP, need/,
    tiff: /^got a TIFF, need/,
    webp: /^got a WebP, need/,
  };
  for (const [name, file] of Object.entries(fixtures.others)) {
    const message = states[name];
    await assert.rejects(decodePicture(Uint8Array.fromBase64(file)), {
      name: "PictureError",
      message,
    });
  }
  for (const [text, message] of [["", /an empty file/], ["hello", /no picture/]] as const) {
    await assert.rejects(decodePicture(new TextEncoder().encode(text)), { message });
  }
});

Deno.test("a picture that is cut off anywhere is refused, and the next one is read", async () => {
  for (const name of ["png RGB", "jpeg grey", "jpeg of quality 95, subsampling 2"] as const) {
    const bytes = read(name);
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 60)) {
      await assert.rejects(decodePicture(bytes.slice(0, length)), PictureError, `${length}`);
    }
    assert.equal(hash((await decodePicture(bytes)).pixels), fixtures.pictures[name].sha256);
  }
});

Deno.test("damaged pictures are read or refused, and harm none that come after", async () => {
  const originals = PICTURES.map(([, { file }]) => Uint8Array.fromBase64(file));
  const damaged = fc.tuple(fc.constantFrom(...originals), mutations)
    .map(([bytes, mutate]) => mutate(bytes));
  await fc.assert(
    fc.asyncProperty(damaged, async (bytes) => {
      try {
        const { height, width, channels, pixels } = await decodePicture(bytes);
        assert.equal(pixels.length, height * width * channels);
      } catch (error) {
        assert.ok(error instanceof PictureError, String(error));
        assert.match(error.message, /^got [^\p{Cc}]+, need [^\p{Cc}]+$/u);
      }
    }),
    { numRuns: 200, seed: 1004 },
  );
  const { pixels } = await decodePicture(read("jpeg grey"));
  assert.equal(hash(pixels), fixtures.pictures["jpeg grey"].sha256);
});

function encodeChunk(kind: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** Encodes a grey PNG of 8 bits, whose header may lie. */
function encodePng(height: number, width: number, packed: Uint8Array): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  const chunks = [
    encodeChunk("IHDR", header),
    encodeChunk("IDAT", packed),
    encodeChunk("IEND", new Uint8Array(0)),
  ];
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Uint8Array.from([signature, ...chunks].flatMap((bytes) => [...bytes]));
}

Deno.test("a PNG that says it is huge, or unpacks to much more than it says, is refused before it is decoded", async () => {
  const packed = new Uint8Array(deflateSync(Uint8Array.of(0, 7)));
  assert.deepEqual([...(await decodePicture(encodePng(1, 1, packed))).pixels], [7]);
  for (const [height, width] of [[2 ** 20, 2 ** 20], [1, MOST_PIXELS + 1], [0, 5]]) {
    await assert.rejects(decodePicture(encodePng(height, width, packed)), {
      message: RegExp(`^got a PNG of ${height} x ${width} pixels, need 1 to`),
    });
  }
  // 70 MB of zeros for two pixels
  const bomb = new Uint8Array(deflateSync(new Uint8Array(7e7)));
  const start = Deno.memoryUsage().rss;
  await assert.rejects(decodePicture(encodePng(1, 2, bomb)), {
    message: /bytes of data for 1 x 2/,
  });
  assert.ok(Deno.memoryUsage().rss - start < 5e7);
  await assert.rejects(decodePicture(encodePng(2, 2, packed)), { message: /broken data/ });
});

Deno.test("a wrong checksum is refused", async () => {
  const bytes = read("png RGB");
  bytes[bytes.length - 20] ^= 1;
  await assert.rejects(decodePicture(bytes), { message: /wrong checksum/ });
});

/** Weights of the triangle filter for one axis, in float64: for each output the inputs within its support. */
function weigh(from: number, to: number): Map<number, number>[] {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const weights = new Map<number, number>();
    for (let j = 0; j < from; j++) {
      const weight = 1 - Math.abs(j + 0.5 - centre) / support;
      if (weight > 0) weights.set(j, weight);
    }
    const sum = weights.values().reduce((a, b) => a + b, 0);
    return new Map(weights.entries().map(([j, weight]) => [j, weight / sum]));
  });
}

function resizeTwin({ height, width, channels, pixels }: Picture, to: [number, number]): number[] {
  const [rows, columns] = [weigh(height, to[0]), weigh(width, to[1])];
  return rows.flatMap((row) =>
    columns.flatMap((column) =>
      Array.from({ length: channels }, (_, channel) => {
        let sum = 0;
        for (const [y, a] of row) {
          for (const [x, b] of column) sum += a * b * pixels[(y * width + x) * channels + channel];
        }
        return sum;
      })
    )
  );
}

Deno.test("resizing is the triangle filter, rounded once, of grey and colour", async () => {
  const side = fc.integer({ min: 1, max: 23 });
  const picture = fc.tuple(side, side, fc.constantFrom(1 as const, 3 as const)).chain((
    [height, width, channels],
  ) =>
    fc.uint8Array({ minLength: height * width * channels, maxLength: height * width * channels })
      .map((pixels): Picture => ({ height, width, channels, pixels, isFlattened: false }))
  );
  await fc.assert(
    fc.asyncProperty(picture, side, side, async (picture, height, width) => {
      const { pixels, ...rest } = await resizePicture(picture, height, width);
      assert.deepEqual([rest.height, rest.width, rest.channels], [
        height,
        width,
        picture.channels,
      ]);
      const exact = resizeTwin(picture, [height, width]);
      assert.equal(pixels.length, exact.length);
      // half a step of rounding, and float32 sums of at most 23 x 23 weights
      const tolerance = 0.5 + 255 * (23 + 23) * 2 ** -24;
      pixels.forEach((value, i) =>
        assert.ok(Math.abs(value - exact[i]) <= tolerance, `${value} for ${exact[i]} at ${i}`)
      );
    }),
    { numRuns: 60, seed: 1005 },
  );
});

Deno.test("resizing differs by at most one step from Pillow, which rounds after each axis", async () => {
  for (const { from, to, pixels, resized } of fixtures.resized) {
    const picture: Picture = {
      height: from[0],
      width: from[1],
      channels: 3,
      pixels: Uint8Array.fromBase64(pixels),
      isFlattened: false,
    };
    const ours = (await resizePicture(picture, to[0], to[1])).pixels;
    const theirs = Uint8Array.fromBase64(resized);
    assert.equal(ours.length, theirs.length);
    ours.forEach((value, i) => assert.ok(Math.abs(value - theirs[i]) <= 1, `${from} to ${to}`));
  }
});

Deno.test("a picture of the size that is asked for is left as it is", async () => {
  const picture = await decodePicture(read("png RGB"));
  assert.equal(await resizePicture(picture, picture.height, picture.width), picture);
});
