/**
 * Test samples with the training samples that help and hurt them, as one HTML page.
 *
 * @module
 */
import type { Cell } from "../../engine/formats/csv.ts";
import { escapeMarkup } from "./markup.ts";
import { renderDocument, renderFigure, renderTable, section } from "./page.ts";

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
  /** Contact sheet. */
  readonly svg: string;
  /** A row for each neighbour; none if no sample helps or hurts. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

/** Renders the page: what the test samples are, then each with its contact sheet and its table. */
export function renderNeighbours({ model, data, notes, tests }: NeighboursPage): string {
  const heading = "What helps and hurts these test samples";
  const overview = {
    name: "test_samples",
    caption: "The test samples",
    rows: tests.map(({ facts }) => facts),
  };
  return renderDocument(
    `lpntk neighbours: ${data} under ${model}`,
    { heading, lines: [`${data} under ${model}`, ...notes] },
    [
      section("Test samples", renderLinks(tests) + renderTable(overview)),
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

function renderTest({ index, heading, svg, rows }: TestSection): string {
  const caption = "Shares are those of the test sample's self-similarity.";
  const figure = renderFigure({ name: `${index}`, caption, svg });
  const table = rows.length > 0
    ? renderTable({ name: "neighbours", caption: `Neighbours of ${heading}`, rows })
    : "<p>No training sample helps it, and none hurts it.</p>";
  return section(
    `<bdi id="test-${index}">${escapeMarkup(heading)}</bdi>`,
    `${figure}\n${table}`,
  );
}
