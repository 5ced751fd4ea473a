// @ts-check
/**
 * Lists of cards, which are drawn as far as they are read.
 *
 * @module
 */
import {
  decisions,
  listShownCopies,
  makeClassSelect,
  makeGroupCard,
  makeOutlierCard,
  makeRedundantCard,
  makeSuspectCard,
  relabel,
} from "./cards.js";
import { countThings, facts, findContent, make, makeButton } from "./elements.js";

/** @typedef {import("./decisions.js").Change} Change */
/** @typedef {import("../facts.ts").SuspectFacts} SuspectFacts */

/** Number of cards that are drawn at once. */
const CHUNK = 24;

/** @template Item */
export class CardList {
  #makeCard;
  #listPositions;
  /** @type {readonly Item[]} */
  #items = [];
  /** @type {Map<Item, HTMLElement>} */
  #made = new Map();
  #cards = make("div", { className: "cards" });
  #more = makeButton("", () => this.drawMore(), "more");

  /**
   * @param {HTMLElement} content
   * @param {(item: Item) => HTMLElement} makeCard
   * @param {(item: Item) => number[]} listPositions samples of an item's card that are decided on
   */
  constructor(content, makeCard, listPositions) {
    this.#makeCard = makeCard;
    this.#listPositions = listPositions;
    content.append(this.#cards, this.#more);
  }

  /** Shows other items, drawn as far as before. @param {readonly Item[]} items */
  show(items) {
    this.#items = items;
    this.#draw(Math.max(CHUNK, this.#cards.childElementCount));
  }

  drawMore() {
    this.#draw(this.#cards.childElementCount + CHUNK);
  }

  /** @param {HTMLElement} card @returns whether it is of the last one that is drawn */
  endsWith(card) {
    return this.#cards.lastElementChild?.contains(card) ?? false;
  }

  /** Draws as far as the next item that is not decided, if there is one. @returns {boolean} whether there is one */
  drawToUndecided() {
    const drawn = this.#cards.childElementCount;
    const isUndecided = (/** @type {Item} */ item) =>
      this.#listPositions(item).some((position) => !decisions.get(position));
    const next = this.#items.findIndex((item, n) => n >= drawn && isUndecided(item));
    if (next >= 0) this.#draw(next + CHUNK);
    return next >= 0;
  }

  /** @param {number} count */
  #draw(count) {
    const cards = this.#items.slice(0, count).map((item) => {
      const card = this.#made.get(item) ?? this.#makeCard(item);
      this.#made.set(item, card);
      return card;
    });
    // cards that stay where they are keep their focus
    const kept = new Set(cards);
    for (const card of [...this.#cards.children]) {
      if (!kept.has(/** @type {HTMLElement} */ (card))) card.remove();
    }
    cards.forEach((card, n) => {
      const there = this.#cards.children[n];
      if (there !== card) this.#cards.insertBefore(card, there ?? null);
    });
    const left = this.#items.length - cards.length;
    this.#more.hidden = left === 0;
    this.#more.textContent = `Show ${Math.min(CHUNK, left)} of ${left.toLocaleString("en")} more`;
  }
}

/** How far a list is decided on. @typedef {{ readonly what: string, readonly positions: readonly number[] }} Task */

/** @type {Task[]} */
export const tasks = [
  { what: "labels", positions: facts.suspects.map(({ position }) => position) },
  {
    what: "copies",
    positions: facts.groups.flatMap((group) => group.slice(1).map(({ position }) => position)),
  },
  { what: "outliers", positions: facts.outliers.map(({ position }) => position) },
].filter(({ positions }) => positions.length > 0);

/** @param {readonly number[]} positions */
export function countDecided(positions) {
  return positions.filter((position) => decisions.get(position)).length;
}

/**
 * Makes the button that decides on all of a list that is not decided yet.
 *
 * @param {(count: number) => string} describe
 * @param {() => Change[]} list changes, those of decided samples included
 */
function makeBatchButton(describe, list) {
  const listUndecided = () => list().filter(([position]) => !decisions.get(position));
  const button = makeButton("", () => decisions.decide(listUndecided()));
  const update = () => {
    const count = listUndecided().length;
    button.textContent = describe(count);
    button.disabled = count === 0;
    button.hidden = list().length === 0;
  };
  decisions.listen(update);
  return { button, update };
}

/** @type {CardList<any>[]} */
const lists = [];

/** Draws the lists of the page. */
export function drawLists() {
  drawSuspects();
  const { groups, outliers, redundant } = facts;
  drawList("copies", groups, makeGroupCard, listShownCopies, [drawCopiesButton]);
  drawList("outliers", outliers, makeOutlierCard, ({ position }) => [position], [
    drawOutliersButton,
  ]);
  drawList("redundant", redundant, makeRedundantCard, () => [], []);
}

/** Draws the cards after this one, if it is the last that is drawn of its list. @param {HTMLElement} card */
export function drawAfter(card) {
  for (const list of lists) if (list.endsWith(card)) list.drawMore();
}

/**
 * Draws as far as the next sample that is not decided, if this card is the last that is drawn of its list.
 *
 * @param {HTMLElement} card
 * @returns {boolean} whether there is one
 */
export function drawToUndecided(card) {
  return lists.some((list) => list.endsWith(card) && list.drawToUndecided());
}

/**
 * @template Item
 * @param {string} section
 * @param {readonly Item[]} items
 * @param {(item: Item) => HTMLElement} makeCard
 * @param {(item: Item) => number[]} listPositions
 * @param {(() => HTMLElement)[]} tools
 */
function drawList(section, items, makeCard, listPositions, tools) {
  const content = findContent(section);
  if (items.length === 0) {
    content.append(make("p", { className: "note" }, "None found."));
    return;
  }
  if (tools.length > 0) {
    content.append(make("div", { className: "tools" }, ...tools.map((tool) => tool())));
  }
  const list = new CardList(content, makeCard, listPositions);
  list.show(items);
  lists.push(list);
}

function drawCopiesButton() {
  const copies = facts.groups.flatMap((group) => {
    const label = facts.labels[group[0].position];
    const isAlike = group.every(({ position }) => facts.labels[position] === label);
    return isAlike ? group.slice(1).map(({ position }) => position) : [];
  });
  const { button, update } = makeBatchButton(
    (count) => `Remove ${countThings(count, "copy", "copies")} whose labels agree`,
    () => copies.map((position) => [position, { action: "remove" }]),
  );
  update();
  return button;
}

function drawOutliersButton() {
  const { button, update } = makeBatchButton(
    (count) => `Remove ${countThings(count, "outlier")}`,
    () => facts.outliers.map(({ position }) => [position, { action: "remove" }]),
  );
  update();
  return button;
}

/** Draws the suspects, and what they are filtered by. */
function drawSuspects() {
  const content = findContent("suspects");
  if (facts.suspects.length === 0) {
    content.append(make("p", { className: "note" }, "None found."));
    return;
  }
  const given = makeFilter("Labelled", ({ position }) => facts.labels[position]);
  const suggested = makeFilter("Looks like", ({ suggested }) => suggested);
  const undecided = make("input", { type: "checkbox" });
  const shown = make("p", { className: "note" });
  /** @type {SuspectFacts[]} */
  let items = [];
  /** @param {SuspectFacts} suspect @returns {Change} */
  const suggest = ({ position, suggested }) => [position, relabel(position, suggested)];
  const strong = makeBatchButton(
    (count) => `Take the ${countThings(count, "strong suggestion")}`,
    () => items.filter(({ isStrong }) => isStrong).map(suggest),
  );
  const all = makeBatchButton(
    (count) => `Take all ${countThings(count, "suggestion")}`,
    () => items.map(suggest),
  );
  const tools = make(
    "div",
    { className: "tools" },
    make("label", {}, "Labelled ", given.select),
    make("label", {}, "Looks like ", suggested.select),
    make("label", {}, undecided, " undecided only"),
    strong.button,
    all.button,
  );
  content.append(tools, shown);
  const list = new CardList(content, makeSuspectCard, ({ position }) => [position]);
  lists.push(list);
  const update = () => {
    items = facts.suspects.filter((suspect) =>
      given.takes(suspect) && suggested.takes(suspect) &&
      !(undecided.checked && decisions.get(suspect.position))
    );
    list.show(items);
    strong.update();
    all.update();
    const count = facts.suspects.length;
    shown.textContent = items.length === count ? "" : `${items.length} of ${count} shown.`;
  };
  for (const input of [given.select, suggested.select, undecided]) input.onchange = update;
  decisions.listen(() => undecided.checked && update());
  update();
}

/** @param {string} name @param {(suspect: SuspectFacts) => number} classify */
function makeFilter(name, classify) {
  const counts = Map.groupBy(facts.suspects, classify);
  const select = makeClassSelect("any class", [...counts.keys()].sort((a, b) => a - b));
  select.setAttribute("aria-label", name);
  for (const option of [...select.options].slice(1)) {
    option.append(` (${counts.get(Number(option.value))?.length})`);
  }
  /** @param {SuspectFacts} suspect */
  const takes = (suspect) => select.value === "" || Number(select.value) === classify(suspect);
  return { select, takes };
}
