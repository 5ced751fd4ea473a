/**
 * A run as one HTML page, which needs no other file, no network and no script.
 *
 * @module
 */
import type { Claim, Figure, Findings, Table } from "../experiments/experiment.ts";
import type { Cell } from "../../engine/formats/csv.ts";
import { escapeMarkup } from "./markup.ts";

/** Contents of the page. */
export interface Report {
  readonly name: string;
  /** Section of the paper. */
  readonly source: string;
  readonly about: string;
  readonly findings: Findings;
  /** Parts that failed to train, and are in no mean. */
  readonly excluded: readonly Exclusion[];
  /** Settings, as in `config.toml`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Environments, as in `environment.json`. */
  readonly environments: readonly Readonly<Record<string, unknown>>[];
}

/** A part of a run that failed to train. */
export interface Exclusion {
  readonly part: string;
  readonly reason: string;
}

/** Most rows of a table that the page shows; all are in the CSV file. */
const SHOWN_ROWS = 50;

/** Renders the page as HTML. */
export function renderPage(report: Report): string {
  const { name, source, about, findings, excluded, settings, environments } = report;
  const text = escapeMarkup;
  const sections = [
    section("What the paper says, and what was found", renderClaims(findings.claims)),
    section("Notes", renderList(findings.notes.map(text))),
    section(
      "Left out",
      renderList(excluded.map(({ part, reason }) => `${text(part)}: ${text(reason)}`)),
    ),
    section("Figures", findings.figures.map(renderFigure).join("\n")),
    section("Tables", findings.tables.map(renderTable).join("\n")),
    section("Configuration", renderPairs(settings)),
    section("Environment", environments.map(renderPairs).join("\n")),
  ];
  return renderDocument(
    `lpntk experiment: ${name}`,
    { heading: name, lines: [source, about] },
    sections,
  );
}

/**
 * Renders a page as HTML.
 *
 * @param sections HTML, as {@linkcode section} makes it
 */
export function renderDocument(
  title: string,
  head: { readonly heading: string; readonly lines: readonly string[] },
  sections: readonly string[],
): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeMarkup(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeMarkup(head.heading)}</h1>
${head.lines.map((line) => `<p>${escapeMarkup(line)}</p>`).join("\n")}
</header>
<main>
${sections.join("")}</main>
</body>
</html>
`;
}

/** Content security policy: neither network nor script, whatever a figure contains. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** A part of a page under its heading; nothing if it has no content. Heading and content are HTML. */
export function section(title: string, content: string): string {
  return content === "" ? "" : `<section>\n<h2>${title}</h2>\n${content}\n</section>\n`;
}

function renderList(items: readonly string[]): string {
  return items.length === 0
    ? ""
    : `<ul>\n${items.map((item) => `<li>${item}</li>\n`).join("")}</ul>`;
}

/** A card for each claim: on a phone a table of five columns of prose could not be read. */
function renderClaims(claims: readonly Claim[]): string {
  return claims.map(({ what, paper, ours, verdict, rule }) =>
    `<article class="claim">
<h3>${escapeMarkup(what)} <strong class="${verdict.split(" ")[0]}">${
      escapeMarkup(verdict)
    }</strong></h3>
<dl>
<dt>paper</dt><dd>${escapeMarkup(paper)}</dd>
<dt>ours</dt><dd>${escapeMarkup(ours)}</dd>
<dt>rule</dt><dd>${escapeMarkup(rule)}</dd>
</dl>
</article>`
  ).join("\n");
}

function renderFigure({ name, caption, svg }: Figure): string {
  return `<figure id="figure-${escapeMarkup(name)}">
${prefixIds(svg, name)}
<figcaption>${escapeMarkup(caption)}</figcaption>
</figure>`;
}

/** Prefixes a figure's ids with its name, since Vega counts them from the same number in each figure of the page. */
function prefixIds(svg: string, name: string): string {
  const prefix = `${name.replace(/\W/g, "_")}-`;
  return svg
    .replace(/^<\?xml.*?\?>\s*/, "")
    .replace(/ id="/g, ` id="${prefix}`)
    .replace(/url\(#/g, `url(#${prefix}`)
    .replace(/href="#/g, `href="#${prefix}`);
}

/** Renders the first rows of a table; where there are more, the caption says so. */
export function renderTable({ name, caption, rows }: Table): string {
  const names = Object.keys(rows[0]);
  const cell = (value: Cell) =>
    typeof value === "number"
      ? `<td class="number">${formatNumber(value)}</td>`
      : `<td dir="auto">${escapeMarkup(value === null ? "–" : String(value))}</td>`;
  const head = names.map((key) => `<th scope="col">${escapeMarkup(key)}</th>`).join("");
  const body = rows.slice(0, SHOWN_ROWS)
    .map((row) => `<tr>${names.map((key) => cell(row[key])).join("")}</tr>\n`).join("");
  const rest = rows.length > SHOWN_ROWS
    ? ` The first ${SHOWN_ROWS} of ${rows.length} rows; all are in ${name}.csv.`
    : "";
  return `<div class="table">
<table>
<caption>${escapeMarkup(caption + rest)}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table>
</div>`;
}

/** Formats a number with four digits, a whole number with all of its own. */
function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function renderPairs(pairs: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(pairs).map(([key, value]) =>
    `<dt>${escapeMarkup(key)}</dt><dd>${
      escapeMarkup(typeof value === "string" ? value : JSON.stringify(value))
    }</dd>\n`
  );
  return `<dl class="pairs">\n${lines.join("")}</dl>`;
}

const STYLE = `
body { overflow-wrap: anywhere; margin: 0 auto; padding: 1rem; max-width: 60rem; font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: white; }
h1 { margin: 0; }
h2 { margin-top: 2rem; border-bottom: 1px solid #ccc; }
h3 { margin: 0; font-size: 1rem; }
header p { margin: 0.2rem 0; color: #444; }
.claim { margin: 0.8rem 0; padding: 0.8rem; border: 1px solid #ccc; border-radius: 6px; break-inside: avoid; }
.claim strong { padding: 0 0.5em; border: 1px solid; border-radius: 1em; font-size: 0.85rem; white-space: nowrap; }
.agrees { color: #004488; }
.differs { color: #a02030; border-style: dashed !important; }
.not { color: #555; border-style: dotted !important; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.1rem 0.8rem; margin: 0.4rem 0 0; }
dt { color: #555; }
dd { margin: 0; }
figure { margin: 1rem 0; break-inside: avoid; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; }
figcaption, caption { text-align: left; color: #444; font-size: 0.9rem; }
.gallery { display: flex; flex-wrap: wrap; gap: 0.8rem; margin: 0.4rem 0 1rem; }
.gallery figure { width: 7rem; margin: 0; }
.gallery img { box-sizing: border-box; width: 100%; image-rendering: pixelated; border: 1px solid #ddd; }
.gallery figcaption { display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 4; line-height: 1.3; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { overflow-wrap: normal; padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .table, figure { overflow: visible; } th, td { overflow-wrap: anywhere; } }
`;
