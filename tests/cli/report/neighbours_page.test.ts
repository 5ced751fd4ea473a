/** The page of `neighbours` in a real browser, with names that try to be more than text. @module */
import assert from "node:assert/strict";
import { pictureSample } from "../../../cli/report/contact_sheet.ts";
import { renderNeighbours } from "../../../cli/report/neighbours_page.ts";
import { createDataset } from "../../../mod.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { assertReadable, openBrowser, viewPage } from "./browser.ts";

const NAMES = [
  `<script>globalThis.hacked = 1</script>`,
  `"><img src="https://example.com/a.png" onerror="globalThis.hacked = 1">`,
  "\u05d7\u05ea\u05d5\u05dc 7",
  "w".repeat(200),
];

/** A page of up to three test samples; the third has no neighbours. */
function drawPage(count = 3): string {
  const data = createDataset({
    name: "named",
    split: "test",
    images: Uint8Array.from({ length: 12 * 16 }, (_, i) => i),
    labels: Array.from({ length: 12 }, (_, i) => i % 4),
    shape: [4, 4, 1],
    classes: 4,
    classNames: NAMES,
    files: Array.from({ length: 12 }, (_, i) => `test/${NAMES[i % 4]}/${i}.png`),
  });
  const tests = [3, 8, 2].slice(0, count).map((index, t) => {
    const images = [...data.labels.keys()].map((i) => pictureSample(data, i, "+12.3%"));
    return {
      index,
      heading: data.files![index],
      facts: { index, file: data.files![index], label: NAMES[index % 4], predicted: NAMES[0] },
      pictures: [{ caption: "Test sample", images: [images[index]] }, { caption: "Helps", images }],
      rows: t === 2 ? [] : Array.from({ length: 60 }, (_, i) => ({
        effect: "helps",
        rank: i + 1,
        index: i,
        file: data.files![i % 12],
        label: NAMES[i % 4],
        similarity: 1 / (i + 1),
      })),
    };
  });
  return renderNeighbours({ model: "mlp", data: NAMES[1], notes: ["of 12"], tests });
}

Deno.test("a page of neighbours is whole by itself, links to each test sample, and runs no name", async () => {
  await using folder = await openTempFolder();
  const path = await Deno.realPath(folder.path) + "/index.html";
  await Deno.writeTextFile(path, drawPage());
  const browser = await openBrowser();
  try {
    for (const width of [1280, 360]) {
      const view = await viewPage(browser, path, { width });
      assertReadable(view, path);
      assert.equal(view.hacked, false);
      for (const name of NAMES.slice(0, 3)) assert.ok(view.text.includes(name), name);
      assert.ok(view.text.includes("No training sample helps it, and none hurts it."));
    }
    const page = await browser.newPage();
    await page.goto(`file://${path}`);
    assert.equal(await page.locator("img").count(), 3 * 13);
    const sizes = await page.locator("img").evaluateAll((all) =>
      (all as unknown as { naturalWidth: number }[]).map(({ naturalWidth }) => naturalWidth)
    );
    assert.ok(sizes.every((size) => size === 4), "every picture is shown");
    const widths = await page.locator("figure").evaluateAll((all) =>
      (all as unknown as { scrollWidth: number; clientWidth: number }[])
        .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)
    );
    assert.deepEqual([...new Set(widths)], [0], "no figure has a scroll bar");
    await page.locator("summary").first().click();
    const caption = await page.locator("caption").nth(1).innerText();
    assert.ok(caption.endsWith("The first 50 of 60 rows; all are in neighbours.csv."), caption);
    const links = await page.locator("li a").all();
    assert.equal(links.length, 3);
    for (const [i, link] of links.entries()) {
      const target = await link.getAttribute("href");
      assert.equal(
        await page.locator(`[id="${target!.slice(1)}"]`).innerText(),
        await link.innerText(),
      );
      assert.equal(target, `#test-${[3, 8, 2][i]}`);
    }
    if (Deno.env.get("SHOTS")) {
      await page.setViewportSize({ width: 1100, height: 900 });
      await page.screenshot({ path: `${Deno.env.get("SHOTS")}/wide.png`, fullPage: false });
    }
  } finally {
    await browser.close();
  }
});

Deno.test("the page of one test sample speaks of one", () => {
  const said = drawPage(1);
  assert.ok(said.includes("<h1>What helps and hurts this test sample</h1>"));
  assert.doesNotMatch(said, /test samples/i);
});
