// @ts-check
/**
 * Cards of samples: a picture, what is said of it, and the buttons to decide by.
 *
 * @module
 */
import { Decisions } from "./decisions.js";
import {
  facts,
  formatNumber,
  make,
  makeButton,
  makeClassName,
  makePicture,
  makeSampleName,
} from "./elements.js";

/** @typedef {import("./decisions.js").Decision} Decision */
/** @typedef {import("../facts.ts").Facts} Facts */

export const decisions = new Decisions(facts, openStorage());

/** Opens what the browser remembers, unless it lets the page remember nothing. @returns {Storage | undefined} */
function openStorage() {
  let storage;
  try {
    storage = localStorage;
  } catch {
    // forbidden
  }
  return storage;
}

/** @param {number} position @param {number} label @returns {Decision} */
export function relabel(position, label) {
  return label === facts.labels[position] ? { action: "keep" } : { action: "relabel", label };
}

/**
 * Makes the element that a sample is decided on in: `data-position` names it, `data-suggested` the class that r stands for.
 *
 * @param {"article" | "div"} tag
 * @param {number} position
 * @param {number} suggested the given label where there is none
 * @param {...Node} children
 */
function makeDecidable(tag, position, suggested, ...children) {
  const given = facts.labels[position];
  /** @param {Decision} decision */
  const toggle = (decision) => {
    const taken = decisions.get(position);
    const isTaken = taken?.action === decision.action && taken.label === decision.label;
    decisions.decide([[position, isTaken ? undefined : decision]]);
  };
  /** @type {[HTMLButtonElement, Decision][]} */
  const buttons = [];
  /** @param {string} verb @param {Decision} decision @param {string} key @param {...Node} names */
  const addButton = (verb, decision, key, ...names) => {
    const button = makeButton(verb, () => toggle(decision), decision.action);
    button.append(...names, " ", make("kbd", {}, key));
    buttons.push([button, decision]);
  };
  addButton("Keep ", { action: "keep" }, "k", makeClassName(given));
  if (suggested !== given) {
    addButton("Relabel ", relabel(position, suggested), "r", makeClassName(suggested));
  }
  addButton("Remove", { action: "remove" }, "x");
  const others = [...facts.classes.keys()].filter((label) =>
    label !== given && label !== suggested
  );
  const select = makeClassSelect("other …", others);
  select.setAttribute("aria-label", "Relabel as another class");
  select.onchange = () => {
    if (select.value === "") decisions.decide([[position, undefined]]);
    else decisions.decide([[position, relabel(position, Number(select.value))]]);
  };
  const bar = make(
    "div",
    { className: "buttons" },
    ...buttons.map(([button]) => button),
    ...others.length > 0 ? [select] : [],
  );
  const card = make(
    tag,
    {
      className: "decidable",
      tabIndex: -1,
      "data-position": position,
      "data-suggested": suggested,
    },
    ...children,
    bar,
  );
  const update = () => {
    const decision = decisions.get(position);
    for (const [button, { action, label }] of buttons) {
      const isTaken = decision?.action === action && decision.label === label;
      button.setAttribute("aria-pressed", String(isTaken));
    }
    const label = decision?.label;
    select.value = label !== undefined && others.includes(label) ? String(label) : "";
    select.classList.toggle("chosen", select.value !== "");
    card.dataset.decision = decision?.action ?? "";
  };
  update();
  updates.set(position, [...updates.get(position) ?? [], update]);
  return card;
}

/** @type {Map<number, (() => void)[]>} How the cards of each sample show what was decided. */
const updates = new Map();

decisions.listen((positions) => {
  for (const position of positions) updates.get(position)?.forEach((update) => update());
});

/** @param {string} none text of the first choice, whose value is empty @param {readonly number[]} labels */
export function makeClassSelect(none, labels) {
  return make(
    "select",
    {},
    make("option", { value: "" }, none),
    ...labels.map((label) => make("option", { value: String(label) }, facts.classes[label])),
  );
}

/** Meaning of the numbers of a suspect. */
const NUMBERS =
  "how suspicious it is; loss of its label; mean similarity to the other samples of its label";

/** @param {Facts["suspects"][number]} suspect */
export function makeSuspectCard(suspect) {
  const { position, isStrong, suggested, score, loss, own, speakFor, speakAgainst } = suspect;
  const given = facts.labels[position];
  const heading = make("h3", {}, "labelled ", makeClassName(given));
  if (suggested === given) heading.append(", which is the best supported");
  else heading.append(", looks like ", makeClassName(suggested));
  if (isStrong) heading.append(" ", make("strong", { className: "badge" }, "strong evidence"));
  const numbers = `score ${formatNumber(score)} · loss ${formatNumber(loss)} nats · ` +
    `own class ${formatNumber(own)}`;
  return makeDecidable(
    "article",
    position,
    suggested,
    makePicture(position),
    make(
      "div",
      { className: "says" },
      heading,
      makeSampleName(position),
      make("p", { className: "numbers", title: NUMBERS }, numbers),
    ),
    ...speakFor.length + speakAgainst.length === 0 ? [] : [make(
      "div",
      { className: "witnesses" },
      makeWitnesses("speak for ", suggested, "alike once relabelled", speakFor),
      makeWitnesses("speak against ", given, "contradict it", speakAgainst),
    )],
  );
}

/** @param {string} verb @param {number} label @param {string} why @param {Facts["suspects"][number]["speakFor"]} witnesses */
function makeWitnesses(verb, label, why, witnesses) {
  const caption = make("h4", {}, verb, makeClassName(label), `: ${why}`);
  const pictures = witnesses.map(([position, cosine]) =>
    make(
      "li",
      {},
      makePicture(position),
      makeClassName(facts.labels[position]),
      make("span", { className: "cosine" }, formatNumber(cosine)),
    )
  );
  return make(
    "div",
    { className: "side" },
    caption,
    pictures.length > 0 ? make("ul", {}, ...pictures) : make("p", {}, "none"),
  );
}

/** Most members of a group that are shown: as many as have pictures. */
const SHOWN_COPIES = 12;

/** Lists the members of a group that its card shows. @param {Facts["groups"][number]} group */
export function listShownCopies(group) {
  return group.slice(0, SHOWN_COPIES).map(({ position }) => position);
}

/** @param {Facts["groups"][number]} group */
export function makeGroupCard(group) {
  const labels = new Set(group.map(({ position }) => facts.labels[position]));
  const heading = make("h3", {}, `there ${group.length} times`);
  const members = group.slice(0, SHOWN_COPIES).map(({ position, kind, similarity }) => {
    const what = kind === "kept"
      ? "the one to keep"
      : kind === "exact"
      ? "equal pixels"
      : `nearly equal, ${similarity}`;
    return makeDecidable(
      "div",
      position,
      facts.labels[position],
      makePicture(position),
      make(
        "div",
        { className: "says" },
        make("h4", {}, makeClassName(facts.labels[position])),
        make("p", { className: `kind ${kind}` }, what),
        makeSampleName(position),
      ),
    );
  });
  const hidden = group.length - members.length;
  if (labels.size > 1) {
    heading.append(" ", make("strong", { className: "badge" }, `${labels.size} labels`));
  }
  const card = make(
    "article",
    { className: "group" },
    heading,
    make("div", { className: "members" }, ...members),
  );
  if (hidden > 0) card.append(make("p", { className: "note" }, `and ${hidden} more`));
  return card;
}

/** @param {Facts["outliers"][number]} outlier */
export function makeOutlierCard({ position, nearest, similarity }) {
  return makeDecidable(
    "article",
    position,
    facts.labels[position],
    makePicture(position),
    make(
      "div",
      { className: "says" },
      make("h3", {}, "labelled ", makeClassName(facts.labels[position])),
      make(
        "p",
        { className: "numbers" },
        "nearest class ",
        makeClassName(nearest),
        `, similarity ${formatNumber(similarity)}`,
      ),
      makeSampleName(position),
    ),
  );
}

/** @param {Facts["redundant"][number]} redundant */
export function makeRedundantCard({ position, partner, ratio }) {
  /** @param {number} sample @param {string} text */
  const half = (sample, text) =>
    make("figure", {}, makePicture(sample), make("figcaption", {}, text, makeSampleName(sample)));
  return make(
    "article",
    { className: "pair" },
    make("h3", {}, makeClassName(facts.labels[position]), ` · ratio ${formatNumber(ratio)}`),
    make("div", { className: "members" }, half(position, "redundant"), half(partner, "taught by")),
  );
}
