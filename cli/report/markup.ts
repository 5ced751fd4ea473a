/**
 * Escaping of text in SVG and HTML.
 *
 * @module
 */

/** Characters that XML forbids even when they are escaped: controls other than tab and line ends, unpaired surrogates, and two that are none. */
// deno-lint-ignore no-control-regex
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;

/** Escapes a text to stand between tags, or in an attribute within double quotes; what XML forbids becomes U+FFFD. */
export function escapeMarkup(text: string): string {
  return text.replace(FORBIDDEN, "\ufffd")
    .replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);
}
