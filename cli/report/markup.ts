/**
 * Text inside SVG and HTML.
 *
 * @module
 */

/** Text as it stands between tags, or in an attribute within double quotes. */
export function escapeMarkup(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);
}
