/** Chromium, for the tests that open a page as a reader does. @module */
import assert from "node:assert/strict";
import { type Browser, chromium } from "playwright-core";

/** Names under which systems install Chromium; `setup.sh` looks for the same. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Flags for a browser that only shows a page: no component, update or account. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts a headless Chromium with an empty profile of its own.
 *
 * @throws {Error} if there is none on PATH.
 */
export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: await findChromium(), args: FLAGS });
}

async function findChromium(): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of NAMES) {
      const path = `${folder}/${name}`;
      if ((await Deno.stat(path).catch(() => undefined))?.isFile) return path;
    }
  }
  throw new Error(
    `Cannot open a page: got none of ${
      NAMES.join(", ")
    } on PATH, need one; install the package chromium`,
  );
}

/** State of a page in a reader's browser. */
export interface PageView {
  /** Addresses that were requested. */
  readonly requests: readonly string[];
  /** Errors of scripts and of the browser. */
  readonly complaints: readonly string[];
  /** Visible text. */
  readonly text: string;
  /** Width by which the page exceeds its window, in pixels. */
  readonly overflow: number;
  readonly figures: readonly FigureView[];
  /** Ids that occur more than once. */
  readonly doubledIds: readonly string[];
  /** Whether a text created an element or a handler. */
  readonly hacked: boolean;
}

/** State of a figure on the page. */
export interface FigureView {
  readonly width: number;
  readonly height: number;
  /** Texts of the figure that lie outside of it, or have no size. */
  readonly lostTexts: readonly string[];
}

/** Opens a file in a window of some width, and inspects it. */
export async function viewPage(
  browser: Browser,
  path: string,
  { width, print = false }: { readonly width: number; readonly print?: boolean },
): Promise<PageView> {
  const context = await browser.newContext({ viewport: { width, height: 800 } });
  try {
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    if (print) await page.emulateMedia({ media: "print" });
    await page.goto(`file://${path}`);
    // passed as text, since it runs in the page, whose globals are not Deno's
    const view = await page.evaluate(LOOK) as Omit<PageView, "requests" | "complaints">;
    return { requests, complaints, ...view };
  } finally {
    await context.close();
  }
}

/** Asserts that a page requested only itself, caused no errors, fits its window and shows every figure with all its text. */
export function assertReadable(view: PageView, path: string): void {
  // a picture in the page has a data: address
  assert.deepEqual(view.requests.filter((url) => !url.startsWith("data:")), [`file://${path}`]);
  assert.deepEqual(view.complaints, []);
  assert.deepEqual(view.doubledIds, []);
  assert.ok(view.overflow <= 0, `${view.overflow} pixels wider than the window`);
  for (const { width, height, lostTexts } of view.figures) {
    assert.ok(width > 100 && height > 50, `${width} x ${height}`);
    assert.deepEqual(lostTexts, []);
  }
}

const LOOK = `(() => {
  const figures = [...document.querySelectorAll("figure svg")].map((svg) => {
    const box = svg.getBoundingClientRect();
    const lostTexts = [...svg.querySelectorAll("text")].filter((text) => {
      const own = text.getBoundingClientRect();
      return text.textContent !== "" && !(own.width > 0 && own.height > 0 && own.left >= box.left - 1 &&
        own.right <= box.right + 1 && own.top >= box.top - 1 && own.bottom <= box.bottom + 1);
    }).map((text) => text.textContent);
    return { width: box.width, height: box.height, lostTexts };
  });
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const doubledIds = ids.filter((id, index) => ids.indexOf(id) !== index);
  const overflow = document.documentElement.scrollWidth - innerWidth;
  return { text: document.body.innerText, overflow, figures, doubledIds, hacked: "hacked" in globalThis };
})()`;

/** Opens the page of the run in folder `out` as its reader does, in a wide and in a narrow window. */
export async function checkPage(out: string, figures: number): Promise<void> {
  const path = await Deno.realPath(`${out}/index.html`);
  const browser = await openBrowser();
  try {
    for (const width of [1280, 360]) {
      const view = await viewPage(browser, path, { width });
      assertReadable(view, path);
      assert.equal(view.figures.length, figures);
    }
  } finally {
    await browser.close();
  }
}
