/** What JPEG leaves of a picture, beside what Pillow 11 (libjpeg) read of the same pictures once it had saved them. @module */
import assert from "node:assert/strict";
import { saveAsJpeg } from "../../../../engine/cleaning/copies/jpeg.ts";

const [HEIGHT, WIDTH] = [11, 9];

/** A picture with whole and broken blocks, whose coefficients are not so near to half a step that integer arithmetic would round otherwise. */
const GREY = Float64Array.from({ length: HEIGHT * WIDTH }, (_, i) => {
  const [y, x] = [Math.floor(i / WIDTH), i % WIDTH];
  return (27 * y + 7 * x * x + 31 * (y * x % 5)) % 256;
});

/** Saved by `Image.save("JPEG", quality=60)`. */
// deno-fmt-ignore
const GREY_SAVED = [
  0, 14, 35, 37, 155, 146, 255, 83, 191,
  15, 58, 102, 219, 0, 203, 65, 177, 58,
  53, 160, 226, 106, 6, 227, 96, 21, 19,
  90, 156, 130, 30, 255, 10, 184, 189, 142,
  107, 236, 235, 241, 238, 0, 228, 32, 103,
  136, 154, 149, 206, 252, 56, 155, 216, 71,
  164, 166, 255, 57, 139, 82, 165, 68, 193,
  196, 18, 74, 16, 151, 106, 245, 136, 156,
  211, 59, 24, 140, 138, 128, 49, 85, 19,
  255, 132, 89, 134, 133, 171, 97, 158, 239,
  27, 2, 44, 78, 112, 174, 36, 93, 207,
];

/** Red channel of {@linkcode GREY} at half its contrast, plus 40, 20 and 90, saved at quality 75. */
// deno-fmt-ignore
const RED_SAVED = [
  47, 39, 72, 56, 96, 141, 160, 87, 138,
  59, 67, 99, 150, 38, 130, 75, 123, 70,
  54, 121, 137, 94, 50, 160, 107, 46, 50,
  92, 131, 95, 61, 172, 45, 109, 143, 111,
  85, 146, 173, 157, 157, 43, 159, 59, 92,
  121, 123, 117, 135, 173, 72, 116, 139, 77,
  113, 134, 176, 71, 99, 97, 130, 69, 136,
  138, 43, 86, 63, 106, 92, 157, 117, 118,
  143, 70, 58, 108, 105, 112, 57, 82, 51,
  166, 110, 84, 103, 103, 134, 93, 131, 160,
  52, 50, 59, 80, 94, 122, 50, 77, 143,
];

Deno.test("a grey picture comes back as Pillow reads it, to a rounded level", () => {
  const saved = saveAsJpeg(GREY, [HEIGHT, WIDTH, 1], 60);
  // Pillow rounds levels, and its transform is of integers: half a level each
  GREY_SAVED.forEach((level, i) => assert.ok(Math.abs(saved[i] - level) <= 1, `${i}: ${saved[i]}`));
});

Deno.test("a picture of one hue comes back as Pillow reads it", () => {
  const colours = [40, 20, 90];
  const picture = Float64Array.from(
    { length: 3 * GREY.length },
    (_, i) => Math.floor(GREY[Math.floor(i / 3)] / 2) + colours[i % 3],
  );
  const saved = saveAsJpeg(picture, [HEIGHT, WIDTH, 3], 75);
  // luminance, red difference (1.402 of it) and red are each rounded
  const bound = 0.5 + 1.402 * 0.5 + 0.5;
  RED_SAVED.forEach((level, i) =>
    assert.ok(Math.abs(saved[3 * i] - level) <= bound, `${i}: ${saved[3 * i]}`)
  );
});

Deno.test("colours are kept at half the resolution, luminance at the whole", () => {
  // columns of red and of the grey of the same luminance, 0.299 * 200
  const picture = Float64Array.from({ length: 16 * 16 * 3 }, (_, i) => {
    const isRed = Math.floor(i / 3) % 2 === 0;
    return isRed ? [200, 0, 0][i % 3] : 59.8;
  });
  const saved = saveAsJpeg(picture, [16, 16, 3], 100);
  for (let i = 0; i < saved.length; i += 3) {
    // all pixels have the mean colour but for steps of 1 level and what is clipped below 0
    assert.ok(Math.abs(saved[i] - saved[3]) < 3, `${saved[i]} and ${saved[3]}`);
  }
});

Deno.test("a constant picture of any size and channels stays itself to half a step", () => {
  for (const shape of [[1, 1, 1], [8, 8, 2], [9, 7, 3], [17, 3, 4]] as const) {
    const picture = new Float64Array(shape[0] * shape[1] * shape[2]).fill(131);
    // the first step at quality 60 is 13, and a coefficient is 8 times a level
    for (const level of saveAsJpeg(picture, shape, 60)) {
      assert.ok(Math.abs(level - 131) <= 13 / 8 / 2 + 1e-9, `${shape}: ${level}`);
    }
  }
});
