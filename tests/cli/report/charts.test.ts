/** Charts that experiments share: what is drawn where, and that their text can be read after rendering. @module */
import assert from "node:assert/strict";
import { decode } from "npm:fast-png@8.0.0";
import { drawBars, drawLines, drawScatter } from "../../../cli/report/charts.ts";
import { renderPng } from "../../../cli/report/png.ts";

const AXES = { x: { title: "Round" }, y: { title: "Loss (nats)" } };
const RISE = [{ x: 1, y: 1 }, { x: 2, y: 4 }, { x: 4, y: 16 }];

/** Reads the centres of the round points, in the order in which they are drawn. */
function readPoints(svg: string): [number, number][] {
  return [...svg.matchAll(/<path transform="translate\(([-\d.]+),([-\d.]+)\)" d="[^"]*A/g)]
    .map(([, x, y]) => [+x, +y]);
}

Deno.test("lines on logarithmic axes put a power law on a straight line", async () => {
  const log = { x: { title: "W", scale: "log" }, y: { title: "D", scale: "log" } } as const;
  const [a, b, c] = readPoints(
    await drawLines([{ name: "l", points: RISE }], { title: "t", ...log }),
  );
  assert.ok(Math.abs((b[0] - a[0]) - (c[0] - b[0])) < 0.01, `${[a, b, c]}`);
  assert.ok(Math.abs((b[1] - a[1]) - (c[1] - b[1])) < 0.01, `${[a, b, c]}`);
  assert.ok(a[1] > b[1] && b[1] > c[1]);
});

Deno.test("bands are named, drawn around their line, and refused without a name", async () => {
  const points = RISE.map((point) => ({ ...point, low: point.y - 1, high: point.y + 1 }));
  const svg = await drawLines([{ name: "l", points }], {
    title: "t",
    ...AXES,
    band: "± 1 deviation",
  });
  assert.match(svg, />Band: ± 1 deviation</);
  const [, band] = /<path d="([^"]*)"[^>]*opacity="0.18"/.exec(svg)!;
  const heights = [...band.matchAll(/[ML][-\d.]+,([-\d.]+)/g)].map(([, y]) => +y);
  const middle = readPoints(svg)[0][1];
  assert.ok(heights.some((y) => y < middle) && heights.some((y) => y > middle));
  await assert.rejects(
    drawLines([{ name: "l", points }], { title: "t", ...AXES }),
    /bands without a name/,
  );
});

Deno.test("each scatter panel draws its own points, groups apart by colour and shape", async () => {
  const points = [0, 1, 0, 1].map((group, i) => ({ x: i, y: i * i, group }));
  const svg = await drawScatter(
    [{ title: "2000 vs 1", points }, { title: "2000 vs 5", points: points.slice(0, 2) }],
    { title: "t", ...AXES, groups: ["zero", "one"] },
  );
  for (const text of ["2000 vs 1", "2000 vs 5", "zero", "one", "Loss (nats)"]) {
    assert.ok(svg.includes(`>${text}<`), text);
  }
  const marks = [...svg.matchAll(/<g class="mark-symbol role-mark[^>]*>(.*?)<\/g>/gs)].map((
    [, own],
  ) => own);
  assert.deepEqual(marks.map((own) => own.match(/<path/g)!.length), [4, 2]);
  const looks = [...marks[0].matchAll(/ d="([^"]*)"[^>]*stroke="([^"]*)"/g)].map((
    [, d, color],
  ) => [d, color]);
  assert.deepEqual([looks[0], looks[1]], [looks[2], looks[3]]);
  assert.ok(looks[0][0] !== looks[1][0] && looks[0][1] !== looks[1][1]);
});

Deno.test("bars are as long as their values, with whiskers from end to end", async () => {
  const bars = [{ name: "kernel", value: 0.5, low: 0.4, high: 0.6 }, { name: "loss", value: 1 }];
  const svg = await drawBars(bars, { title: "t", x: { title: "AUROC" }, whiskers: "95% interval" });
  const [first, second] = [...svg.matchAll(/<path d="M0,[\d.]+h([\d.]+)v[^>]*fill="#004488"/g)]
    .map(([, width]) => +width);
  assert.ok(Math.abs(2 * first - second) < 0.01, `${first}, ${second}`);
  const [, start, length] =
    /<line transform="translate\(([\d.]+),[^>]* x2="(-?[\d.]+)"[^>]*stroke="black"/.exec(svg)!;
  assert.ok(Math.abs(+start - 0.4 * second) < 0.01, `${start}`);
  assert.ok(Math.abs(+length - 0.2 * second) < 0.01, `${length}`);
});

Deno.test("charts refuse what they cannot show", async () => {
  await assert.rejects(drawLines([], { title: "t", ...AXES }), /got no line, need at least 1$/);
  await assert.rejects(
    drawLines([{ name: "l", points: [] }], { title: "t", ...AXES }),
    /got no point in "l"/,
  );
  await assert.rejects(
    drawLines([{ name: "l", points: [{ x: 0, y: 1 }] }], {
      title: "t",
      ...AXES,
      x: { title: "W", scale: "log" },
    }),
    /got x = 0, need finite numbers above 0$/,
  );
  await assert.rejects(
    drawBars([{ name: "a", value: NaN }], { title: "t", x: AXES.x }),
    /got x = NaN/,
  );
  await assert.rejects(drawScatter([], { title: "t", ...AXES, groups: [] }), /got no panel/);
});

Deno.test("a title stands in its figure's corner, however long the legend and the axis titles are", async () => {
  for (const count of [1, 4, 9]) {
    const lines = Array.from({ length: count }, (_, i) => ({
      name: `line ${i} of several`,
      points: RISE.map(({ x, y }) => ({ x, y: i * y / 100 })),
    }));
    const svg = await drawLines(lines, {
      title: "the title",
      x: AXES.x,
      y: { title: "A long name of what is measured here (nats)" },
    });
    const [root, title] = [
      /<g fill="none"[^>]*translate\(([-\d.]+),([-\d.]+)\)/,
      /role-title"><g transform="translate\(([-\d.]+),([-\d.]+)\)/,
    ].map((pattern) => pattern.exec(svg)!.slice(1).map(Number));
    // the corner lies where the padding ends, to the pixel that Vega rounds by
    for (const axis of [0, 1]) {
      assert.ok(Math.abs(root[axis] + title[axis] - 12) <= 1, `${count}: ${root} ${title}`);
    }
  }
});

Deno.test("a PNG is twice the SVG's size, and its text is drawn", async () => {
  const draw = (text: string) =>
    renderPng(
      `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40" font-family="sans-serif">` +
        `<text x="5" y="30" font-size="20">${text}</text></svg>`,
    ).then((bytes) => decode(bytes));
  const [empty, letters] = [await draw(""), await draw("ρκ±")];
  assert.deepEqual([letters.width, letters.height], [240, 80]);
  const countDark = ({ data }: { data: ArrayLike<number> }) =>
    Array.from(data).filter((v) => v < 100).length;
  assert.equal(countDark(empty), 0);
  assert.ok(countDark(letters) > 300, `${countDark(letters)} dark values`);
});
