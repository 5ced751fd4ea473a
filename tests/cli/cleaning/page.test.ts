/** The page of `clean` in a real browser: what is decided by clicks and by keys is what the saved file says, whatever the data are called. @module */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDataset } from "lpntk";
import type { Browser, Locator, Page } from "playwright-core";
import { renderCleaning } from "../../../cli/cleaning/page/page.ts";
import { applyDecisions, readDecisions } from "../../../cli/cleaning/decisions.ts";
import type { Findings } from "../../../cli/cleaning/findings.ts";
import { assertReadable, openBrowser, viewPage } from "../report/browser.ts";
import { openTempFolder } from "../../temp_folder.ts";
import { makeFindings } from "./findings.ts";

const SMALL = { count: 60, suspects: 5, groups: 2, outliers: 2, redundant: 3, classes: 3 };

/** Names that try to be more than text, and such as a spreadsheet would compute. */
const CLASSES = ["<script>globalThis.hacked = 1</script>", `חתול, "קטן"`, `=${"long ".repeat(40)}`];
const FILES = [
  `a/"quoted", b.png`,
  "=1+1.png",
  "'=1+1.png",
  "</script><b>.png",
  "-\n.png",
  `"><img src=x onerror="globalThis.hacked=1">.png`,
];

/** Findings of a part of a split with the names above, whose copies have one label in one group and two in the other. */
function makeNamed(): Findings {
  const { count } = SMALL;
  const findings = makeFindings(SMALL, {
    name: CLASSES[0],
    shape: [7, 13, 3],
    classNames: CLASSES,
    files: Array.from({ length: count }, (_, n) => FILES[n] ?? `${n}.png`),
    indices: Int32Array.from({ length: count }, (_, n) => 1000 + 2 * n),
  });
  const [[kept, copy], ...others] = findings.duplicates;
  return { ...findings, duplicates: [[kept, { ...copy, position: kept.position - 3 }], ...others] };
}

/** Findings of a table without names and without a suspect, of two classes. */
function makeBare(): Findings {
  const sizes = { ...SMALL, suspects: 0, groups: 0, outliers: 0, redundant: 0, classes: 2 };
  return makeFindings(sizes, { shape: [1, 1, 20] });
}

async function openPage(
  browser: Browser,
  path: string,
  use: (open: { readonly page: Page }) => Promise<void>,
) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.setDefaultTimeout(10_000);
  try {
    await page.goto(`file://${path}`);
    await use({ page });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** Saves the decisions as a reader does. */
async function save(page: Page): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("#save").click(),
  ]);
  assert.equal(file.suggestedFilename(), "decisions.csv");
  return await Deno.readTextFile(await file.path());
}

function findCard(page: Page, section: string, position: number): Locator {
  return page.locator(`#${section} .decidable[data-position="${position}"]`);
}

async function decideByClicks(page: Page): Promise<void> {
  assert.equal(await page.locator("#save").isDisabled(), true);
  await findCard(page, "suspects", 0).locator("button.keep").click();
  await findCard(page, "suspects", 1).locator("button.relabel").click();
  await findCard(page, "suspects", 2).locator("button.remove").click();
  await findCard(page, "suspects", 3).locator("select").selectOption(CLASSES[2]);
  // decided, and taken back
  await findCard(page, "suspects", 4).locator("button.keep").click();
  await findCard(page, "suspects", 4).locator("button.keep").click();
  await findCard(page, "outliers", 5).locator("button.keep").click();
  await findCard(page, "outliers", 6).locator("select").selectOption(CLASSES[1]);
  await page.getByRole("button", { name: "Remove 1 copy whose labels agree" }).click();
  assert.equal(
    await page.locator("#progress").textContent(),
    "4 of 5 labels · 1 of 2 copies · 2 of 2 outliers decided",
  );
}

const LABELS = CLASSES.map((name) => name.startsWith("=") ? `'${name}` : name);
const QUOTED = LABELS.map((name) => /[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
const [SCRIPT, RIGHT_TO_LEFT, LONG] = QUOTED;
const BY_CLICKS = `index,file,decision,label
1000,"a/""quoted"", b.png",keep,${SCRIPT}
1002,'=1+1.png,relabel,${LONG}
1004,''=1+1.png,remove,${LONG}
1006,</script><b>.png,relabel,${LONG}
1010,"""><img src=x onerror=""globalThis.hacked=1"">.png",keep,${LONG}
1012,6.png,relabel,${RIGHT_TO_LEFT}
1110,55.png,remove,${RIGHT_TO_LEFT}
`;

async function checkClicks(browser: Browser, path: string): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    await decideByClicks(page);
    assert.equal(await save(page), BY_CLICKS);
    await page.reload();
    assert.equal(await save(page), BY_CLICKS);
    const relabelled = findCard(page, "suspects", 1).locator("button.relabel");
    assert.equal(await relabelled.getAttribute("aria-pressed"), "true");
    assert.equal(await findCard(page, "suspects", 3).locator("select").inputValue(), "2");
    assert.equal(await page.evaluate("globalThis.hacked"), undefined);
    // what is nearly equal is not shown as equal
    assert.equal(await page.locator("#copies .kind.near").innerText(), "nearly equal, 0.9999");
  });
}

async function openFile(page: Page, text: string): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.locator("#open").click(),
  ]);
  const buffer = Buffer.from(text);
  await chooser.setFiles({ name: "earlier.csv", mimeType: "text/csv", buffer });
}

/** Decisions are taken over by files, whatever the indices; those that do not fit are passed over. */
async function checkOpened(browser: Browser, path: string): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    await openFile(page, `\ufeff${BY_CLICKS.replaceAll("\n", "\r\n")}`);
    await page.getByText("Took over 7 of 7 decisions of earlier.csv.").waitFor();
    assert.equal(await save(page), BY_CLICKS);
    await page.locator("#undo").click();
    assert.equal(await page.locator("#save").isDisabled(), true);
    // of labels as they are now, of another label, of a file that is gone, of no class
    const rows = [
      `7,'=1+1.png,relabel,${RIGHT_TO_LEFT}`,
      `8,6.png,remove,${LONG}`,
      `9,gone.png,keep,${LONG}`,
      `10,5.png,relabel,none`,
    ];
    await openFile(page, ["index,file,decision,label", ...rows].join("\n"));
    await page.getByText(
      "Took over 1 of 4 decisions of earlier.csv; the others fit none of these samples.",
    ).waitFor();
    assert.equal(
      await save(page),
      `index,file,decision,label\n1002,'=1+1.png,keep,${RIGHT_TO_LEFT}\n`,
    );
    await openFile(page, "a,b\n1,2\n");
    await page.getByText("Cannot open earlier.csv: need columns").waitFor();
  });
}

/** The saved file is applied to the whole split, of which the page has every second sample of the last. */
async function checkApplied(path: string, { data }: Findings): Promise<void> {
  await Deno.writeTextFile(path, BY_CLICKS);
  const count = 1000 + 2 * SMALL.count;
  const [labels, files] = [new Int32Array(count), Array<string>(count).fill("other.png")];
  data.indices!.forEach((index, n) => {
    labels[index] = data.labels[n];
    files[index] = data.files![n];
  });
  const images = new Uint8Array(count);
  const { name, split, classes, classNames } = data;
  const whole = createDataset({
    name,
    split,
    classes,
    classNames,
    labels,
    files,
    images,
    shape: [1, 1, 1],
  });
  const { data: cleaned, changes } = applyDecisions(
    whole,
    await readDecisions(path, whole),
    path,
  );
  assert.deepEqual(changes, [
    { index: 1002, change: "relabelled", given: 1, label: 2 },
    { index: 1004, change: "removed", given: 2, label: 2 },
    { index: 1006, change: "relabelled", given: 0, label: 2 },
    { index: 1012, change: "relabelled", given: 0, label: 1 },
    { index: 1110, change: "removed", given: 1, label: 1 },
  ]);
  assert.equal(cleaned.labels.length, count - 2);
}

async function checkKeys(browser: Browser, path: string): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    // nothing is decided before a sample is marked
    await press("x", "j", "ArrowRight", "h", "k", "r", "x");
    assert.equal(await page.locator("#status").textContent(), `${FILES[2]}: remove`);
    // to the class of a number, to one that there is not, and to its own
    await press("2", "9", "1");
    assert.equal(await page.locator("#status").textContent(), `${FILES[4]}: keep`);
    await press("z");
    // the copies follow the suspects
    await press("j", "x");
    assert.equal(await save(page), BY_KEYS);
  });
}

const BY_KEYS = `index,file,decision,label
1000,"a/""quoted"", b.png",keep,${SCRIPT}
1002,'=1+1.png,relabel,${LONG}
1004,''=1+1.png,remove,${LONG}
1006,</script><b>.png,relabel,${LONG}
1116,58.png,remove,${RIGHT_TO_LEFT}
`;

/** A key is not for a sample out of sight. */
async function checkSight(browser: Browser, path: string): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    await page.keyboard.press("j");
    await page.evaluate("scrollTo(0, document.body.scrollHeight)");
    await page.keyboard.press("x");
    assert.match(await page.locator("#progress").innerText(), /^0 of 5/);
    await page.keyboard.press("x");
    assert.match(await page.locator("#progress").innerText(), /^1 of 5/);
  });
}

async function checkFilters(browser: Browser, path: string): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    const list = () =>
      page.locator("#suspects .decidable").evaluateAll((cards) =>
        cards.map((card) => Number(card.getAttribute("data-position")))
      );
    const chooseGiven = (name: string) => page.getByLabel("Labelled").selectOption(name);
    assert.deepEqual(await list(), Array.from({ length: 24 }, (_, n) => n));
    // a quarter of the suspects, the first ones, have strong evidence against their labels
    assert.equal(await page.locator("#suspects .badge").count(), 10);
    await page.getByRole("button", { name: "Take the 10 strong suggestions" }).click();
    assert.match(await page.locator("#progress").innerText(), /^10 of 40 labels/);
    assert.equal(await page.locator('#suspects [data-decision="relabel"] .badge').count(), 10);
    await page.locator("#undo").click();
    await page.getByRole("button", { name: /^Show 16 of 16 more$/ }).click();
    assert.equal((await list()).length, 40);
    await chooseGiven("1");
    await page.getByLabel("Looks like").selectOption("2");
    const second = Array.from({ length: 13 }, (_, n) => 3 * n + 1);
    assert.deepEqual(await list(), second);
    await page.getByLabel("undecided only").check();
    await findCard(page, "suspects", 4).locator("button.remove").click();
    assert.deepEqual(await list(), second.filter((position) => position !== 4));
    await page.getByRole("button", { name: "Take all 12 suggestions" }).click();
    assert.deepEqual(await list(), []);
    await chooseGiven("");
    await page.getByLabel("Looks like").selectOption("");
    const left = page.locator("#suspects .more");
    assert.equal(await left.innerText(), "Show 3 of 3 more");
    await page.locator("#undo").click();
    assert.equal(await left.innerText(), "Show 15 of 15 more");
    assert.equal(await save(page), "index,file,decision,label\n4,,remove,1\n");
  });
}

/** Pictures are the samples' own pixels, as the browser decodes them. */
async function checkPixels(browser: Browser, path: string, { data }: Findings): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    const draw = `(() => {
      const image = document.querySelector("#suspects .decidable .picture");
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return [canvas.width, canvas.height, ...context.getImageData(0, 0, canvas.width, canvas.height).data];
    })()`;
    const [width, height, ...pixels] = await page.evaluate(draw) as number[];
    assert.deepEqual([height, width, 3], data.shape);
    assert.deepEqual(pixels.filter((_, n) => n % 4 < 3), [...data.images.subarray(0, 7 * 13 * 3)]);
  });
}

/** Pointing at the scatter shows a sample. */
async function checkScatter(browser: Browser, path: string): Promise<void> {
  await openPage(browser, path, async ({ page }) => {
    await page.locator("canvas").scrollIntoViewIfNeeded();
    const box = await page.locator("canvas").boundingBox();
    const tip = page.locator(".tip");
    for (let x = box!.x + 60; x < box!.x + box!.width && await tip.isHidden(); x += 8) {
      await page.mouse.move(x, box!.y + 30);
    }
    assert.match(await tip.innerText(), /difficulty [\d.]+ nats · ratio [\d.]+/);
    assert.equal(await tip.locator("img").count(), 1);
  });
}

const SIZES = [{ width: 1280 }, { width: 400 }, { width: 794, print: true }];

Deno.test("a person decides on the page of clean", async (t) => {
  await using folder = await openTempFolder();
  const write = async (name: string, findings: Findings) => {
    const path = `${folder.path}/${name}.html`;
    await Deno.writeTextFile(path, await renderCleaning(findings));
    return path;
  };
  const findings = makeNamed();
  const named = await write("named", findings);
  const many = await write("many", makeFindings({ ...SMALL, suspects: 40 }));
  const bare = await write("bare", makeBare());
  const browser = await openBrowser();
  try {
    await t.step("by clicks, which outlive the page", () => checkClicks(browser, named));
    await t.step("which are applied", () => checkApplied(`${folder.path}/d.csv`, findings));
    await t.step("taken over from a file", () => checkOpened(browser, named));
    await t.step("by keys", () => checkKeys(browser, named));
    await t.step("by keys, of what is in sight", () => checkSight(browser, named));
    await t.step("on a part of a list", () => checkFilters(browser, many));
    await t.step("seeing each pixel", () => checkPixels(browser, named, findings));
    await t.step("pointing at a point", () => checkScatter(browser, named));
    for (
      const [path, texts] of [[named, [...CLASSES, ...FILES]], [bare, [
        "None found.",
        "rows of 20 numbers",
      ]]] as const
    ) {
      for (const size of SIZES) {
        await t.step(`seeing all at ${size.width} pixels of ${path.at(-6)}`, async () => {
          const view = await viewPage(browser, path, size);
          assertReadable(view, path);
          assert.equal(view.hacked, false);
          const text = view.text.replaceAll(/\s+/g, " ");
          for (const part of texts) {
            assert.ok(text.includes(part.replaceAll(/\s+/g, " ").trim()), part);
          }
        });
      }
    }
  } finally {
    await browser.close();
  }
});
