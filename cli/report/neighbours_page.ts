/**
 * Test samples with the training samples that help and hurt them, as one HTML page.
 *
 * @module
 */
import { basename } from "node:path/posix";
import type { Cell } from "../../engine/formats/csv.ts";
import { escapeMarkup } from "./markup.ts";
import { encodePicture, type SampleImage, type SampleRow } from "./contact_sheet.ts";
import { renderDocument, renderTable, section } from "./page.ts";

/** Contents of the page. */
export interface NeighboursPage {
  readonly model: string;
  readonly data: string;
  /** What the samples were chosen from, and what the figures are, for people. */
  readonly notes: readonly string[];
  readonly tests: readonly TestSection[];
}

/** A test sample and its neighbours. */
export interface TestSection {
  /** Index in the whole split, which is also the anchor. */
  readonly index: number;
  /** File or number, as a heading. */
  readonly heading: string;
  /** Label, prediction and self-similarity. */
  readonly facts: Readonly<Record<string, Cell>>;
  /** Pictures: the sample itself, those that help it, those that hurt it. */
  readonly pictures: readonly SampleRow[];
  /** A row for each neighbour; none if no sample helps or hurts. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

/** Renders the page: what the test samples are, then each with its pictures and its table. */
export function renderNeighbours({ model, data, notes, tests }: NeighboursPage): string {
  const isOne = tests.length === 1;
  const heading = `What helps and hurts ${isOne ? "this test sample" : "these test samples"}`;
  const overview = {
    name: "test_samples",
    caption: isOne ? "The test sample" : "The test samples",
    rows: tests.map(({ facts }) => facts),
  };
  return renderDocument(
    `lpntk neighbours: ${data} under ${model}`,
    { heading, lines: [`${data} under ${model}`, ...notes] },
    [
      section(isOne ? "Test sample" : "Test samples", renderLinks(tests) + renderTable(overview)),
      ...tests.map(renderTest),
    ],
  );
}

/** Links to the sections of several samples. */
function renderLinks(tests: readonly TestSection[]): string {
  if (tests.length === 1) return "";
  const links = tests.map(({ index, heading }) =>
    `<li><a href="#test-${index}"><bdi>${escapeMarkup(heading)}</bdi></a></li>\n`
  );
  return `<ul>\n${links.join("")}</ul>\n`;
}

function renderTest({ index, heading, pictures, rows }: TestSection): string {
  const table = rows.length > 0
    ? `<details><summary>All as a table</summary>\n${
      renderTable({ name: "neighbours", caption: `Neighbours of ${heading}`, rows })
    }\n</details>`
    : "<p>No training sample helps it, and none hurts it.</p>";
  return section(
    `<bdi id="test-${index}">${escapeMarkup(heading)}</bdi>`,
    `${pictures.map(renderGallery).join("\n")}\n${table}`,
  );
}

/** Pictures side by side, as many as the window is wide. */
function renderGallery({ caption, images }: SampleRow): string {
  return `<h3>${escapeMarkup(caption)}</h3>\n<div class="gallery">\n${
    images.map(renderPicture).join("")
  }</div>`;
}

function renderPicture(image: SampleImage): string {
  const { file } = image;
  const caption = escapeMarkup(image.caption);
  const title = file === undefined ? caption : `${caption}: ${escapeMarkup(file)}`;
  const name = file === undefined ? "" : `<br><bdi>${escapeMarkup(basename(file))}</bdi>`;
  const drawn = image.lines
    ? `<pre>${escapeMarkup(image.lines.join("\n"))}</pre>`
    : `<img src="${encodePicture(image)}" alt="${caption}">`;
  return `<figure title="${title}">${drawn}` +
    `<figcaption>${caption}${name}</figcaption></figure>\n`;
}
