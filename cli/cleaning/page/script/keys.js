// @ts-check
/**
 * Deciding by keys on the sample that is marked.
 *
 * @module
 */
import { decisions, relabel } from "./cards.js";
import { facts, find, make, makeClassName, nameSample } from "./elements.js";
import { drawAfter, drawToUndecided } from "./lists.js";

/** @typedef {import("./decisions.js").Decision} Decision */

/** @type {HTMLElement | undefined} */
let marked;

/** Says something to whoever sees or hears the page. @param {string} text */
export function announce(text) {
  find("status").textContent = text;
}

/** @returns {HTMLElement[]} */
function listDecidable() {
  return [...document.querySelectorAll(".decidable")].map((
    card,
  ) => /** @type {HTMLElement} */ (card));
}

/** Marks a sample's card and brings it into sight, with those after it. @param {HTMLElement} card */
function mark(card) {
  setMarked(card);
  drawAfter(card);
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

/** @param {HTMLElement} card */
function setMarked(card) {
  marked?.classList.remove("marked");
  marked = card;
  card.classList.add("marked");
}

/** Marks the sample `step` cards further. @param {1 | -1} step */
function move(step) {
  const cards = listDecidable();
  const at = marked?.isConnected ? cards.indexOf(marked) + step : 0;
  if (cards[at]) mark(cards[at]);
}

/** Marks the first sample that is not decided, from some place on, or says that there is none. @param {number} place */
function moveToUndecided(place) {
  let cards = listDecidable();
  for (let at = place; at < cards.length; at++) {
    if (!cards[at].dataset.decision) return mark(cards[at]);
    if (drawToUndecided(cards[at])) cards = listDecidable();
  }
  announce("All below is decided.");
}

/** @param {string} key @param {HTMLElement} card @returns {Decision | undefined} */
function readDecision(key, card) {
  const position = Number(card.dataset.position);
  const suggested = Number(card.dataset.suggested);
  if (key === "k") return { action: "keep" };
  if (key === "x") return { action: "remove" };
  if (key === "r" && suggested !== facts.labels[position]) return relabel(position, suggested);
  if (/^\d$/.test(key) && Number(key) < facts.classes.length) return relabel(position, Number(key));
  return undefined;
}

/** @param {string} key */
function decide(key) {
  if (!marked?.isConnected) return announce("No sample is marked: press j for the first one.");
  const { top, bottom } = marked.getBoundingClientRect();
  if (bottom < 0 || top > innerHeight) {
    mark(marked);
    return announce("This is the marked sample: press the key again to decide.");
  }
  const decision = readDecision(key, marked);
  if (!decision) return announce("This key stands for no class here.");
  const position = Number(marked.dataset.position);
  const place = listDecidable().indexOf(marked);
  decisions.decide([[position, decision]]);
  announce(`${nameSample(position)}: ${decision.action}`);
  // a decided card may have left its list, and the next one has its place
  moveToUndecided(place);
}

/** Takes the last step back, and marks the sample. */
export function undo() {
  const [position] = decisions.undo();
  if (position === undefined) return;
  const card = listDecidable().find(({ dataset }) => Number(dataset.position) === position);
  if (card) mark(card);
  announce(`Taken back: ${nameSample(position)}.`);
}

/** @type {Record<string, () => void>} */
const KEYS = {
  ArrowRight: () => move(1),
  j: () => move(1),
  ArrowLeft: () => move(-1),
  h: () => move(-1),
  z: undo,
};
for (const key of "krx0123456789") KEYS[key] = () => decide(key);

/** Listens to keys, and marks what is pointed at or focused. */
export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest("select, input, textarea")) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("focusin", ({ target }) => {
    const card = /** @type {Element} */ (target).closest(".decidable");
    if (card) setMarked(/** @type {HTMLElement} */ (card));
  });
}

/** Makes the line that says which keys there are. */
export function makeKeyLegend() {
  /** @type {[string[], string][]} */
  const keys = [
    [["j", "→"], "next"],
    [["h", "←"], "back"],
    [["k"], "keep"],
    [["r"], "relabel as it looks"],
    [["x"], "remove"],
    [["z"], "undo"],
  ];
  const items = keys.map(([names, what]) =>
    make("li", {}, ...names.flatMap((name) => [make("kbd", {}, name), " "]), what)
  );
  const digits = facts.classes.slice(0, 10).map((_, label) =>
    make("li", {}, make("kbd", {}, String(label)), " ", makeClassName(label))
  );
  return make("ul", { className: "keys", "aria-label": "Keys" }, ...items, ...digits);
}
