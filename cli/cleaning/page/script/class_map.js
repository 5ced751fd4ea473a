// @ts-check
/**
 * The map of classes: which are taken for which, and how alike they are.
 *
 * @module
 */
import { facts, findContent, formatNumber, make, makeClassName } from "./elements.js";

/** Number of confusions that are told in words. */
const TOLD = 5;

/** Most classes whose names stand upright above the columns. */
const UPRIGHT = 12;

const { classes, taken, judged, similarity } = facts.map;

/** @typedef {{ readonly text: string, readonly title: string, readonly heat: number }} Cell */
/** @typedef {(row: number, column: number) => Cell} MakeCell */

/** Share of a row's samples that were taken for the column's class. @param {number} row @param {number} column */
function measureShare(row, column) {
  return judged[row] === 0 ? 0 : taken[row][column] / judged[row];
}

/** @param {number} row @param {number} column */
function describeTaken(row, column) {
  const [from, to] = [row, column].map((place) => facts.classes[classes[place]]);
  return `${taken[row][column]} of ${judged[row]} labelled ${from} are taken for ${to}`;
}

/** Views of the map: `prepare` returns a function that makes the cell of a row and a column. */
const VIEWS = [
  {
    name: "taken for",
    describe: "How many samples of each row's label the networks took for each column's class.",
    prepare: prepareTaken,
  },
  {
    name: "mean similarity",
    describe: "Mean cosine of the kernel between the samples of two classes.",
    prepare: prepareSimilarity,
  },
];

/** @returns {MakeCell} */
function prepareTaken() {
  const shares = classes.flatMap((_, row) =>
    classes.map((_, column) => row === column ? 0 : measureShare(row, column))
  );
  const highest = Math.max(...shares, Number.MIN_VALUE);
  return (row, column) => ({
    text: taken[row][column] === 0 ? "" : String(taken[row][column]),
    title: describeTaken(row, column),
    heat: row === column ? 0 : measureShare(row, column) / highest,
  });
}

/** @returns {MakeCell} */
function prepareSimilarity() {
  const sizes = similarity.flat().map((value) => Math.abs(value ?? 0));
  const highest = Math.max(...sizes, Number.MIN_VALUE);
  return (row, column) => {
    const value = similarity[row][column];
    const [from, to] = [row, column].map((place) => facts.classes[classes[place]]);
    return {
      text: value === null ? "–" : formatNumber(Number(value.toFixed(2))),
      title: `${from} and ${to}: ${formatNumber(value)}`,
      heat: Math.max(0, value ?? 0) / highest,
    };
  };
}

/** Draws the map, the confusions in words above it. */
export function drawClassMap() {
  const content = findContent("map");
  content.append(tellConfusions());
  if (classes.length < facts.classes.length) {
    const note =
      `The ${classes.length} most confused of ${facts.classes.length} classes are shown; all are in classes.csv.`;
    content.append(make("p", { className: "note" }, note));
  }
  const frame = make("div", {
    className: "frame",
    tabIndex: 0,
    role: "region",
    "aria-label": "Map of classes",
  });
  const about = make("p", { className: "note" });
  /** @param {typeof VIEWS[number]} view */
  const show = ({ describe, prepare }) => {
    about.textContent = describe;
    frame.replaceChildren(makeTable(prepare()));
  };
  const choices = VIEWS.map((view, n) => {
    const input = make("input", { type: "radio", name: "view", checked: n === 0 });
    input.onchange = () => show(view);
    return make("label", {}, input, ` ${view.name}`);
  });
  content.append(make("div", { className: "tools" }, ...choices), about, frame);
  show(VIEWS[0]);
}

function tellConfusions() {
  const pairs = classes.flatMap((_, row) => classes.map((_, column) => [row, column]))
    .filter(([row, column]) => row !== column && taken[row][column] > 0)
    .sort((a, b) => measureShare(b[0], b[1]) - measureShare(a[0], a[1]))
    .slice(0, TOLD);
  if (pairs.length === 0) return make("p", {}, "The networks confuse no classes.");
  const items = pairs.map(([row, column]) =>
    make(
      "li",
      {},
      makeClassName(classes[row]),
      " is taken for ",
      makeClassName(classes[column]),
      `: ${taken[row][column]} of ${judged[row]} (${
        (100 * measureShare(row, column)).toFixed(1)
      } %)`,
    )
  );
  return make("ul", {}, ...items);
}

/** @param {MakeCell} makeCell */
function makeTable(makeCell) {
  const heads = classes.map((label) => make("th", { scope: "col" }, makeClassName(label)));
  const rows = classes.map((label, row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, makeClassName(label)),
      ...classes.map((_, column) => {
        const { text, title, heat } = makeCell(row, column);
        const cell = make("td", { title, className: row === column ? "same" : "" }, text);
        cell.style.setProperty("--heat-share", `${Math.round(100 * heat)}%`);
        cell.classList.toggle("hot", heat > 0.7);
        return cell;
      }),
    )
  );
  return make(
    "table",
    { className: `heat ${classes.length > UPRIGHT ? "many" : ""}` },
    make("thead", {}, make("tr", {}, make("td"), ...heads)),
    make("tbody", {}, ...rows),
  );
}
