/**
 * Escaping of text in SVG and HTML.
 *
 * @module
 */

/** Escapes a text to stand between tags, or in an attribute within double quotes. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);
}
