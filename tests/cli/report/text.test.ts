/** Texts in figures: cut where they would overlap, isolated where they run from right to left, and never more than text. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { drawSamples, pictureSample } from "../../../cli/report/contact_sheet.ts";
import { escapeMarkup } from "../../../cli/report/markup.ts";
import { cutText, isolate, measureText } from "../../../cli/report/text.ts";
import { createDataset } from "../../../mod.ts";

const HEBREW = "\u05d7\u05ea\u05d5\u05dc";

Deno.test("a text is as wide as its letters: accents add none, East Asian letters count for more", () => {
  assert.equal(measureText("abcd", 100), 248);
  assert.equal(measureText("a\u0301b\u0301", 100), measureText("ab", 100));
  assert.equal(measureText("w\u732b", 100), 221);
  assert.equal(measureText("A", 100), 80);
  assert.equal(measureText("\u{1f469}\u200d\u{1f4bb}", 100), 111);
  assert.equal(measureText(isolate(HEBREW), 100), measureText(HEBREW, 100));
});

Deno.test("a text that is too wide is cut between letters, and fits with its ellipsis", () => {
  assert.equal(cutText("short", 10, 31), "short");
  assert.equal(cutText("shorter", 10, 32), "shor\u2026");
  assert.equal(cutText("a\u0301e\u0301i\u0301o\u0301", 10, 20), "a\u0301e\u0301\u2026");
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.integer({ min: 7, max: 200 }),
      (text, width) => {
        const cut = cutText(text, 10, width);
        assert.ok(measureText(cut, 10) <= width, `${measureText(cut, 10)} of ${width}`);
        assert.ok(cut === text || text.startsWith(cut.slice(0, -1)), cut);
      },
    ),
  );
});

Deno.test("what XML forbids is replaced, and all markup escaped", () => {
  assert.equal(
    escapeMarkup('<a b="c">&\0\x1b\x0c\ud800\uffff\t\n'),
    "&#60;a b=&#34;c&#34;&#62;&#38;\ufffd\ufffd\ufffd\ufffd\ufffd\t\n",
  );
  assert.equal(escapeMarkup("\u{1f600}"), "\u{1f600}");
});

Deno.test("captions of a contact sheet do not reach the next picture, and the whole name and file are its title", () => {
  const long = "a name that goes on and on and on and says little";
  const data = createDataset({
    name: "named",
    split: "test",
    images: new Uint8Array(6),
    labels: [0, 1, 2],
    shape: [2, 1, 1],
    classes: 3,
    classNames: [long, HEBREW, "<b>"],
    files: ["a/<i>.png", `b/${HEBREW}.png`, "c/3.png"],
    indices: Int32Array.of(12345, 6, 7),
  });
  const images = [0, 1, 2].map((i) => pictureSample(data, i, "+12.3%"));
  const svg = drawSamples([{ caption: long.repeat(9), images }], "Title");
  const captions = [...svg.matchAll(/<text x="(\d+)"[^>]*font-size="11"[^>]*>([^<]*)</g)];
  assert.deepEqual(captions.map(([, , text]) => text), [
    "#12345 +12.3% a name t\u2026",
    `#6 +12.3% \u2068${HEBREW}\u2069`,
    "#7 +12.3% &#60;b&#62;",
  ]);
  const lefts = captions.map(([, x]) => Number(x));
  const widths = captions.map(([, , text]) => measureText(text, 11));
  assert.ok(lefts[0] + widths[0] < lefts[1] && lefts[1] + widths[1] < lefts[2], `${lefts}`);
  assert.deepEqual([...svg.matchAll(/<title>([^<]*)</g)].map(([, text]) => text), [
    `#12345 +12.3% ${long}: a/&#60;i&#62;.png`,
    `#6 +12.3% \u2068${HEBREW}\u2069: b/${HEBREW}.png`,
    "#7 +12.3% &#60;b&#62;: c/3.png",
  ]);
  assert.ok(
    Number(svg.match(/ width="(\d+)"/)![1]) <= 1024,
    "a long line does not widen the sheet",
  );
  const numbered = createDataset({ ...data, classNames: undefined, files: undefined });
  const { caption, file } = pictureSample(numbered, 1);
  assert.deepEqual([caption, file], ["#6 1", undefined]);
});
