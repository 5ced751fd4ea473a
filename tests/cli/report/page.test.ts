/** The page of a run in a real browser: whole by itself, and nothing in it but what was put there, whatever the data are called. @module */
import assert from "node:assert/strict";
import { drawBars, drawLines, drawScatter } from "../../../cli/report/charts.ts";
import { drawSamples } from "../../../cli/report/contact_sheet.ts";
import { drawAccuracy, drawClusterSizes } from "../../../cli/report/figure.ts";
import { renderPage } from "../../../cli/report/page.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { assertReadable, openBrowser, type PageView, viewPage } from "./browser.ts";

/** Names that try to be more than text: markup and scripts. */
const HOSTILE = [
  `<script>globalThis.hacked = 1</script>`,
  `"><img src="https://example.com/a.png" onerror="globalThis.hacked = 1">`,
  `' onmouseover='hacked=1' x='`,
  `</style></svg></title>&amp;<b>`,
];
const [SCRIPT, IMAGE, HANDLER, ENDS] = HOSTILE;

async function drawFigures() {
  const points = [1, 2, 3].map((x) => ({ x, y: x * x, low: x, high: 2 * x * x, group: x % 2 }));
  const axes = { x: { title: "Round" }, y: { title: "Loss (nats)" } };
  const svgs = {
    accuracy: await drawAccuracy([{ name: "full", accuracy: [[0.5, 0.7]] }], ENDS),
    bars: await drawBars([{ name: ENDS, value: 1 }], { title: IMAGE, x: { title: "AUROC" } }),
    clusters: await drawClusterSizes([3, 2, 1], SCRIPT),
    lines: await drawLines([{ name: ENDS, points }], { title: SCRIPT, band: "± 1", ...axes }),
    samples: drawSamples([{
      caption: IMAGE,
      images: [{
        pixels: new Uint8Array([0, 255, 255, 0]),
        height: 2,
        width: 2,
        channels: 1,
        caption: SCRIPT,
      }],
    }], HANDLER),
    scatter: await drawScatter([{ title: ENDS, points }, { title: "other", points }], {
      title: IMAGE,
      groups: [SCRIPT, "b"],
      ...axes,
    }),
  };
  // two figures that use one id for different elements, as other programs draw
  const clipped = (width: number) =>
    `<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="90">` +
    `<clipPath id="clip0"><rect width="${width}" height="90"/></clipPath>` +
    `<rect width="${width}" height="90" clip-path="url(#clip0)"/></svg>`;
  return Object.entries({ ...svgs, wide: clipped(400), narrow: clipped(200) }).map((
    [name, svg],
  ) => ({ name, caption: IMAGE, svg }));
}

async function drawPage(): Promise<string> {
  const rows = [{ [IMAGE]: SCRIPT, number: 1 / 3, whole: 12345, none: null }];
  return renderPage({
    name: SCRIPT,
    source: ENDS,
    about: HANDLER,
    settings: { data: IMAGE, sizes: [1, 5] },
    environments: [{ adapter: SCRIPT }],
    excluded: [{ part: HANDLER, reason: ENDS }],
    findings: {
      metrics: {},
      tables: [{ name: "t", caption: ENDS, rows }],
      figures: await drawFigures(),
      claims: [
        { what: SCRIPT, paper: IMAGE, ours: HANDLER, verdict: "differs", rule: ENDS },
        { what: "x".repeat(300), paper: "1", ours: "2", verdict: "agrees", rule: "r" },
      ],
      notes: HOSTILE,
    },
  });
}

const VIEWS = [
  { name: "on a desk", width: 1280 },
  { name: "on a phone", width: 360 },
  { name: "printed", width: 794, print: true },
];

Deno.test("the page shows everything in a browser, asks for nothing else and runs nothing", async (t) => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/index.html`;
  await Deno.writeTextFile(path, await drawPage());
  const browser = await openBrowser();
  try {
    for (const { name, ...window } of VIEWS) {
      await t.step(name, async () => checkView(await viewPage(browser, path, window), path));
    }
  } finally {
    await browser.close();
  }
});

function checkView(view: PageView, path: string): void {
  assertReadable(view, path);
  assert.equal(view.hacked, false);
  assert.equal(view.figures.length, 8);
  for (const text of HOSTILE) assert.ok(view.text.includes(text), text);
  for (const text of ["0.3333", "12345", "differs", "agrees"]) {
    assert.ok(view.text.includes(text), text);
  }
}
