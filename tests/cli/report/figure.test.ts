import assert from "node:assert/strict";
import fc from "fast-check";
import { decode } from "npm:fast-png@8.0.0";
import { createDataset, type Dataset } from "../../../mod.ts";
import { drawSamples, pictureSample } from "../../../cli/report/contact_sheet.ts";
import { drawAccuracy, drawClusterSizes } from "../../../cli/report/figure.ts";

const TAG_AND_TEXT = /<((?:"[^"<]*"|[^"<>])*)>([^<]*)/g;

/** Reads the texts of an SVG in order, decoded; fails if tags do not nest or a bare `<`, `&` or `"` is left. */
function readTexts(svg: string): string[] {
  const open: string[] = [];
  const texts: string[] = [];
  for (const [, tag, text] of svg.matchAll(TAG_AND_TEXT)) {
    if (tag.startsWith("/")) assert.equal(open.pop(), tag.slice(1));
    else if (!tag.endsWith("/")) open.push(tag.split(" ")[0]);
    assert.match(tag + text, /^(?:[^&]|&(?:lt|gt|amp|quot|#\d+);)*$/);
    if (text !== "") texts.push(decodeEntities(text));
  }
  assert.deepEqual(open, []);
  assert.equal(svg.replace(TAG_AND_TEXT, ""), "");
  return texts;
}

function decodeEntities(text: string): string {
  const signs: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };
  return text.replace(
    /&(?:#(\d+)|(\w+));/g,
    (_, code, name) => signs[name] ?? String.fromCodePoint(code),
  );
}

/** Reads the corners `[x, y]` of the paths that are drawn with `attributes`, in pixels of the plot. */
function readPaths(svg: string, attributes: string): number[][][] {
  return [...svg.matchAll(/<path d="([^"]*)"([^>]*)>/g)]
    .filter(([, , rest]) => rest.includes(attributes))
    .map(([, d]) => [...d.matchAll(/[ML]([-\d.]+),([-\d.]+)/g)].map(([, x, y]) => [+x, +y]));
}

/** Reads the centres `[x, y]` of the points, in pixels of the plot. */
function readPoints(svg: string): number[][] {
  return [...svg.matchAll(/<path transform="translate\(([-\d.]+),([-\d.]+)\)" d="[^"]*A/g)]
    .map(([, x, y]) => [+x, +y]);
}

/** Calibrates the y axis by its lowest and highest label; `pixel` is one pixel in the axis's unit. */
function calibrateY(svg: string) {
  const labels = [
    ...svg.matchAll(/text-anchor="end" transform="translate\([^,]*,([-\d.]+)\)[^>]*>([\d.]+)</g),
  ]
    .map(([, y, value]) => ({ y: +y, value: +value }));
  const [low, high] = [labels[0], labels.at(-1)!];
  const pixel = (high.value - low.value) / (low.y - high.y);
  // A label stands 4 pixels below its tick.
  return { pixel, read: (y: number) => low.value + (low.y - 4 - y) * pixel };
}

const TWO_SEEDS = { name: "full", accuracy: [[0.5, 0.7], [0.6, 0.9]] };

Deno.test("an accuracy figure names its title, axes with units, and arms", async () => {
  const other = { name: "pruned", accuracy: [[0.4, 0.6]] };
  const texts = readTexts(await drawAccuracy([TWO_SEEDS, other], "LeNet-5 on digits"));
  for (
    const text of ["LeNet-5 on digits", "Epoch", "Test accuracy (%)", "full", "pruned", "1", "2"]
  ) {
    assert.ok(texts.includes(text), `no text "${text}" in ${texts}`);
  }
});

Deno.test("an accuracy figure draws the mean and one sample standard deviation around it", async () => {
  const svg = await drawAccuracy([TWO_SEEDS], "t");
  const { read, pixel } = calibrateY(svg);
  const [line] = readPaths(svg, "stroke-dasharray");
  const [band] = readPaths(svg, 'opacity="0.18"');
  // Seeds of 50 and 60 % lie 10 / sqrt(2) from one another's mean in sample deviations, 70 and 90 % 20 / sqrt(2).
  const [one, two] = [10 / Math.SQRT2, 20 / Math.SQRT2];
  const want = [55, 80, 55 - one, 80 - two, 80 + two, 55 + one];
  const got = [...line, ...band].map(([, y]) => read(y));
  assert.equal(got.length, want.length);
  // Vega puts ticks on whole pixels.
  got.forEach((value, i) => assert.ok(Math.abs(value - want[i]) <= pixel, `${got}, want ${want}`));
});

Deno.test("the band of an accuracy figure ends at 100 %", async () => {
  const svg = await drawAccuracy([{ name: "a", accuracy: [[1, 1], [0.7, 0.9]] }], "t");
  const { read, pixel } = calibrateY(svg);
  const [band] = readPaths(svg, 'opacity="0.18"');
  const highest = Math.max(...band.map(([, y]) => read(y)));
  assert.ok(Math.abs(highest - 100) <= pixel, `ends at ${highest}`);
});

Deno.test("arms differ in both colour and dash", async () => {
  const arms = ["a", "b", "c", "d"].map((name) => ({ name, accuracy: [[0.1, 0.2]] }));
  const svg = await drawAccuracy(arms, "t");
  const lines = [
    ...svg.matchAll(/<path d="[^"]*" stroke="([^"]*)"[^>]* stroke-dasharray="([^"]*)"/g),
  ];
  assert.equal(new Set(lines.map(([, color]) => color)).size, 4);
  assert.equal(new Set(lines.map(([, , dash]) => dash)).size, 4);
});

Deno.test("a single epoch shows as one point an arm, the better one higher", async () => {
  const arms = [{ name: "worse", accuracy: [[0.6]] }, { name: "better", accuracy: [[0.8]] }];
  const [worse, better, ...others] = readPoints(await drawAccuracy(arms, "t"));
  assert.deepEqual(others, []);
  assert.equal(worse[0], better[0]);
  assert.ok(better[1] < worse[1]);
});

Deno.test("an accuracy figure is refused where it would mislead", async () => {
  const draw = (...arms: { name: string; accuracy: number[][] }[]) => () => drawAccuracy(arms, "t");
  await assert.rejects(draw(), { name: "RangeError", message: /got no arm, need at least 1$/ });
  for (const accuracy of [[], [[]]]) {
    await assert.rejects(draw({ name: "a", accuracy }), {
      name: "RangeError",
      message: /no epoch in arm "a"/,
    });
  }
  await assert.rejects(draw({ name: "a", accuracy: [[0.5, 0.6], [0.5]] }), {
    name: "RangeError",
    message: /seeds of 2 and 1 epochs in arm "a", need equal numbers$/,
  });
  await assert.rejects(draw({ name: "a", accuracy: [[NaN]] }), {
    name: "RangeError",
    message: /got NaN/,
  });
});

Deno.test("cluster sizes fall over their rank on logarithmic axes with units", async () => {
  const svg = await drawClusterSizes([1, 100, 10], "Clusters");
  const texts = readTexts(svg);
  for (const text of ["Clusters", "Cluster rank", "Cluster size (samples)", "1", "2", "5", "100"]) {
    assert.ok(texts.includes(text), `no text "${text}" in ${texts}`);
  }
  const [[[x1, y1], [x2, y2], [x3, y3]]] = readPaths(svg, 'stroke="#004488"');
  // Path coordinates have 3 decimals.
  assert.ok(Math.abs((x2 - x1) - (x3 - x1) * Math.log(2) / Math.log(3)) < 2e-3);
  assert.ok(Math.abs((y2 - y1) - (y3 - y2)) < 2e-3);
  assert.ok(y1 < y2);
});

Deno.test("of equal cluster sizes only the first and the last rank are drawn", async () => {
  const svg = await drawClusterSizes([1, 1, 5, 1, 1, 1], "t");
  const points = readPoints(svg);
  assert.equal(points.length, 3);
  const [first, second, last] = points.map(([x]) => x);
  assert.ok(Math.abs((second - first) - (last - first) * Math.log(2) / Math.log(6)) < 2e-3);
  assert.equal(points[1][1], points[2][1]);
});

Deno.test("a single cluster shows as a point", async () => {
  assert.equal(readPoints(await drawClusterSizes([12], "t")).length, 1);
});

Deno.test("no cluster and empty clusters are refused", async () => {
  await assert.rejects(() => drawClusterSizes([], "t"), {
    name: "RangeError",
    message: /got no cluster/,
  });
  for (const size of [0, -1, NaN]) {
    await assert.rejects(() => drawClusterSizes([3, size], "t"), {
      name: "RangeError",
      message: `Cannot draw cluster sizes: got a size of ${size}, need at least 1`,
    });
  }
});

Deno.test("a contact sheet embeds exact pixels, and holds captions inside its frame", () => {
  const grey = {
    pixels: Uint8Array.of(0, 255, 7, 9, 1, 2),
    height: 2,
    width: 3,
    channels: 1,
    caption: "#1: 7",
  };
  const colour = {
    pixels: Uint8Array.of(1, 2, 3, 250, 251, 252),
    height: 1,
    width: 2,
    channels: 3,
    caption: "#2: ship",
  };
  const svg = drawSamples([{ caption: "Pair", images: [grey, colour] }], "Contradictory");
  assert.deepEqual(readTexts(svg), ["Contradictory", "Pair", "#1: 7", "#2: ship"]);
  const embedded = [...svg.matchAll(/href="data:image\/png;base64,([^"]*)"/g)]
    .map(([, text]) => decode(Uint8Array.fromBase64(text)));
  assert.deepEqual(
    embedded.map(({ data, height, width, channels }) => ({
      data: [...data],
      height,
      width,
      channels,
    })),
    [grey, colour].map(({ pixels, height, width, channels }) => ({
      data: [...pixels],
      height,
      width,
      channels,
    })),
  );
  const frame = Number(svg.match(/ width="(\d+)"/)![1]);
  const images = [...svg.matchAll(/<image x="(\d+)" y="\d+" width="(\d+)"/g)];
  const [left, right] = images.map(([, x, width]) => ({ start: +x, end: +x + +width }));
  assert.ok(left.end < right.start && right.end <= frame);
});

/** Makes a picture of the second of two samples. */
function picture(images: Uint8Array | Float32Array, shape: Dataset["shape"]) {
  const data = createDataset({
    name: "d",
    split: "train",
    images,
    labels: [0, 0],
    shape,
    classes: 1,
  });
  const { pixels, channels, lines } = pictureSample(data, 1, "");
  return { pixels: pixels && [...pixels], channels, lines };
}

Deno.test("samples of floats are scaled from their own smallest to their largest value", () => {
  const values = Float32Array.of(9, 9, 9, -9, -0.5, 0, 0.5, 2);
  assert.deepEqual(picture(values, [2, 2, 1]).pixels, [0, 51, 102, 255]);
  assert.deepEqual(picture(new Float32Array(8).fill(3), [2, 2, 1]).pixels, [0, 0, 0, 0]);
});

Deno.test("of 2 channels the first is shown, of 4 and 6 the first three", () => {
  const count = (length: number) => Uint8Array.from({ length }, (_, i) => i);
  const show = (channels: number) => picture(count(4 * channels), [1, 2, channels]);
  assert.deepEqual(show(2), { pixels: [4, 6], channels: 1, lines: undefined });
  assert.deepEqual(show(4).pixels, [8, 9, 10, 12, 13, 14]);
  assert.deepEqual(show(6), { pixels: [12, 13, 14, 18, 19, 20], channels: 3, lines: undefined });
});

Deno.test("a row of a table is shown as its first values", () => {
  const few = picture(Float32Array.of(0, 0, 1 / 3, -2e-7), [1, 1, 2]);
  assert.deepEqual(few, { pixels: undefined, channels: 1, lines: ["0.3333", "-2e-7"] });
  const many = picture(Float32Array.from({ length: 14 }, (_, i) => i), [1, 1, 7]);
  assert.deepEqual(many.lines, ["7", "8", "9", "10", "11", "... (7 values)"]);
  const image = { height: 1, width: 1, channels: 1, lines: ["a<b", "c"], caption: "#1" };
  assert.deepEqual(readTexts(drawSamples([{ caption: "r", images: [image] }], "t")), [
    "t",
    "r",
    "a<b",
    "c",
    "#1",
  ]);
});

Deno.test("a contact sheet refuses pixels that do not fit their shape", () => {
  const image = { pixels: new Uint8Array(8), height: 2, width: 2, caption: "#3" };
  for (const channels of [1, 2]) {
    assert.throws(() => drawSamples([{ caption: "", images: [{ ...image, channels }] }], "t"), {
      name: "RangeError",
      message: `Cannot draw sample "#3": got 8 pixel values for [2, 2, ${channels}], ` +
        "need H * W * C of them with C of 1 or 3",
    });
  }
});

Deno.test("any title, name and caption comes out of a figure as it went in", async () => {
  // Vega cuts blanks at the ends.
  const text = fc.string({ minLength: 1, maxLength: 16 }).filter((text) => text.trim() === text);
  await fc.assert(
    fc.asyncProperty(text, text, async (title, name) => {
      const image = {
        pixels: Uint8Array.of(1),
        height: 1,
        width: 1,
        channels: 1,
        caption: name,
      };
      assert.deepEqual(
        readTexts(drawSamples([{ caption: name, images: [image] }], title)),
        [title, name, name],
      );
      const chart = readTexts(await drawAccuracy([{ name, accuracy: [[0.5, 0.6]] }], title));
      assert.ok(chart.includes(title) && chart.includes(name), `${chart}`);
      assert.ok(readTexts(await drawClusterSizes([2, 1], title)).includes(title));
    }),
    {
      numRuns: 50,
      examples: [["<script>&amp;", '"]]>'], ["&#60;'", "</text>"], ["toString", "valueOf"]],
    },
  );
});
