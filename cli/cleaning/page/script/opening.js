// @ts-check
/**
 * Earlier decisions, taken over from a saved file, also from one on the data as they were before some of it was applied.
 *
 * @module
 */
import { decisions, relabel } from "./cards.js";
import { facts, make } from "./elements.js";
import { announce } from "./keys.js";

/** @typedef {import("./decisions.js").Change} Change */

const COLUMNS = ["file", "decision", "label"];

/** Lets a person choose a file, and takes its decisions over in one step. */
export function openDecisions() {
  const input = make("input", { type: "file", accept: ".csv" });
  input.onchange = async () => {
    const [file] = input.files ?? [];
    if (file) announce(takeOver(await file.text(), file.name));
  };
  input.click();
}

/**
 * Takes decisions over by the files of their samples, whose indices may have changed. What has become a sample's label is decided as kept.
 *
 * @param {string} text @param {string} name @returns {string} what to say
 */
function takeOver(text, name) {
  const [header, ...rows] = parseCsv(text.replace(/^\ufeff/, ""));
  const columns = COLUMNS.map((column) => header.indexOf(column));
  if (columns.includes(-1)) {
    return `Cannot open ${name}: need columns index, file, decision, label, as this page saves them.`;
  }
  const positions = new Map(
    Object.entries(facts.files ?? {}).map(([position, file]) => [file, Number(position)]),
  );
  const changes = rows.flatMap((row) => {
    const [file, action, className] = columns.map((column) => row[column] ?? "");
    const position = positions.get(file);
    const label = facts.classes.indexOf(className);
    return position === undefined ? [] : readChange(position, action, label);
  });
  decisions.decide(changes);
  const rest = changes.length < rows.length ? "; the others fit none of these samples" : "";
  return `Took over ${changes.length} of ${rows.length} decisions of ${name}${rest}.`;
}

/** @param {number} position @param {string} action @param {number} label @returns {Change[]} none where it does not fit the sample */
function readChange(position, action, label) {
  if (action === "relabel") return label < 0 ? [] : [[position, relabel(position, label)]];
  if (action !== "keep" && action !== "remove") return [];
  return label === facts.labels[position] ? [[position, { action }]] : [];
}

/** Reads a table as lpntk writes them: RFC 4180, with an apostrophe before what a spreadsheet would compute. @param {string} text */
function parseCsv(text) {
  /** @type {string[][]} */
  const rows = [];
  /** @type {string[]} */
  let cells = [];
  for (
    const [, quoted, plain, end] of text.matchAll(
      /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g,
    )
  ) {
    const cell = quoted?.replaceAll('""', '"') ?? plain;
    cells.push(/^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell);
    if (end === ",") continue;
    if (cells.length > 1 || cells[0] !== "") rows.push(cells);
    cells = [];
  }
  return rows.length > 0 ? rows : [[]];
}
