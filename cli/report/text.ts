/**
 * Texts in figures: how wide they are, how they are cut, and how names of any script stand among other words.
 *
 * @module
 */
import { LETTER_WIDTH } from "./chart_style.ts";

/** Signs without a width of their own, and letters that are wider than most: capitals, and those as wide as the font's size or wider. */
const UNSEEN = /^[\p{Cf}\p{Mn}]*$/u;
const CAPITAL = /\p{Lu}/u;
const WIDE =
  /[mwMW@%\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Extended_Pictographic}\u3000-\u303f\uff00-\uff60]/u;

/** Letters that are written from right to left. */
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

const SEGMENTER = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Estimates the width of a letter from above, in units of the font's size: there is no font to measure. */
function measureLetter(letter: string): number {
  if (UNSEEN.test(letter)) return 0;
  return WIDE.test(letter) ? 1.1 : CAPITAL.test(letter) ? 0.8 : LETTER_WIDTH;
}

/** Estimates the width of a text in a font of this size; a letter with its accents counts once. */
export function measureText(text: string, size: number): number {
  let width = 0;
  for (const { segment } of SEGMENTER.segment(text)) width += measureLetter(segment);
  return Math.ceil(width * size);
}

/** Cuts a text that is wider than `width`, and ends it with an ellipsis. */
export function cutText(text: string, size: number, width: number): string {
  if (measureText(text, size) <= width) return text;
  let [kept, left] = ["", width / size - LETTER_WIDTH];
  for (const { segment } of SEGMENTER.segment(text)) {
    left -= measureLetter(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

/** Isolates a name that is written from right to left, so that numbers and words after it keep their order (U+2068, U+2069). */
export function isolate(name: string): string {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}
