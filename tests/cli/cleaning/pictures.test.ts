/** Pictures on the page of `clean`: each once, every pixel where there is room, and never more bytes than a page may have. @module */
import assert from "node:assert/strict";
import { decode } from "npm:fast-png@8.0.0";
import { gatherFacts } from "../../../cli/cleaning/page/facts.ts";
import { renderCleaning } from "../../../cli/cleaning/page/page.ts";
import { drawPictures } from "../../../cli/cleaning/page/pictures.ts";
import { drawNumbers, makeFindings } from "./findings.ts";

/** Noise, which PNG cannot compress: a million random bytes and three, over and over. */
function drawNoise(length: number): Uint8Array {
  const draw = drawNumbers(1001);
  const noise = new Uint8Array(length);
  const part = Math.min(length, 1_000_003);
  for (let n = 0; n < part; n++) noise[n] = 256 * draw();
  for (let start = part; start < length; start += part) {
    noise.copyWithin(start, 0, Math.min(part, length - start));
  }
  return noise;
}

/** Reads the pictures of a page. */
function readPictures(html: string): [position: number, png: string][] {
  return JSON.parse(
    /<script type="application\/json" id="pictures">(.*?)<\/script>/.exec(html)![1],
  );
}

Deno.test("each sample's picture is there once, and to the pixel where there is room", async () => {
  for (const shape of [[28, 28, 1], [7, 13, 3], [2, 64, 1]] as const) {
    const findings = makeFindings({
      count: 97,
      suspects: 40,
      groups: 5,
      outliers: 9,
      redundant: 30,
      classes: 3,
    }, { shape });
    const pictures = readPictures(await renderCleaning(findings));
    assert.deepEqual(pictures.map(([position]) => position).sort((a, b) => a - b), [
      ...Array(97).keys(),
    ]);
    const size = shape[0] * shape[1] * shape[2];
    for (const [position, png] of pictures) {
      const { data, width, height, channels } = decode(Uint8Array.fromBase64(png));
      assert.deepEqual([height, width, channels], [...shape]);
      assert.deepEqual([...data], [
        ...findings.data.images.subarray(position * size, (position + 1) * size),
      ]);
    }
  }
});

Deno.test("pictures that would take too much room are shrunk, those beside more than those that are decided on", async () => {
  const findings = makeFindings({
    count: 300,
    suspects: 50,
    groups: 0,
    outliers: 0,
    redundant: 0,
    classes: 2,
  }, {
    shape: [224, 160, 3],
    images: drawNoise(300 * 224 * 160 * 3),
  });
  for (const room of [100_000, 1_000_000, 4_000_000]) {
    const pictures = await drawPictures(findings.data, gatherFacts(findings), room);
    const bytes = JSON.stringify(pictures).length;
    assert.ok(bytes <= room && bytes > room / 2, `${bytes} of ${room}`);
    const sides = pictures.map(([, png]) => decode(Uint8Array.fromBase64(png)).height);
    assert.equal(new Set(sides.slice(0, 50)).size, 1);
    assert.ok(sides[0] > sides[50], `${sides[0]} and ${sides[50]}`);
  }
});

Deno.test("a page of 60,000 colour pictures of noise has at most 30 MB, with pictures of the first 1,000 of each list", async () => {
  const count = 60_000;
  const findings = makeFindings(
    { count, suspects: 6000, groups: 1500, outliers: 1200, redundant: 20_000, classes: 100 },
    {
      shape: [32, 32, 3],
      images: drawNoise(count * 32 * 32 * 3),
      files: Array.from({ length: count }, (_, n) => `train/a_class_of_pictures/IMG_${n}.png`),
    },
  );
  const html = await renderCleaning(findings);
  const bytes = new TextEncoder().encode(html).length;
  assert.ok(bytes <= 30e6 && bytes > 20e6, `${bytes} bytes`);
  const pictures = new Map(readPictures(html));
  const listed = [
    ...findings.labels.slice(0, 1000),
    ...findings.duplicates.slice(0, 1000).flat(),
    ...findings.outliers.slice(0, 1000),
    ...findings.redundant.slice(0, 1000),
  ].map(({ position }) => position);
  assert.deepEqual(listed.filter((position) => !pictures.has(position)), []);
  const { width } = decode(Uint8Array.fromBase64(pictures.get(0)!));
  assert.equal(width, 32);
});
