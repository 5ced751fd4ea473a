/**
 * What `clean` found as one HTML page on which a person decides: it needs no other file and no network, and runs no script but its own.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { describeArms } from "../../comparison.ts";
import { formatCount } from "../../units.ts";
import { escapeMarkup } from "../../report/markup.ts";
import type { Findings } from "../findings.ts";
import { describeRedundant } from "../summary.ts";
import { describeVerdicts } from "../verification.ts";
import { type Facts, gatherFacts } from "./facts.ts";
import { drawPictures, type Pictures } from "./pictures.ts";
import cards from "./script/cards.js" with { type: "text" };
import classMap from "./script/class_map.js" with { type: "text" };
import decisions from "./script/decisions.js" with { type: "text" };
import elements from "./script/elements.js" with { type: "text" };
import keys from "./script/keys.js" with { type: "text" };
import lists from "./script/lists.js" with { type: "text" };
import main from "./script/main.js" with { type: "text" };
import opening from "./script/opening.js" with { type: "text" };
import scatter from "./script/scatter.js" with { type: "text" };
import cardStyle from "./style/cards.css" with { type: "text" };
import figureStyle from "./style/figures.css" with { type: "text" };
import pageStyle from "./style/page.css" with { type: "text" };

/** Most bytes of a page. Pictures take what the rest of it leaves. */
const MOST_BYTES = 30_000_000;

/** The script: its modules, one after another, each after those that it imports. */
const SCRIPT = [elements, decisions, cards, lists, classMap, scatter, keys, opening, main]
  .map((module) => module.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, ""))
  .join("");

/** Content security policy: no network, pictures and style of the page, and this script alone, whatever the data are called. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
  `script-src 'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'`;

/**
 * Renders the page as HTML of at most 30 MB, as long as the names of files leave room.
 */
export async function renderCleaning(findings: Findings): Promise<string> {
  const facts = gatherFacts(findings);
  const draw = (pictures: Pictures) => renderPage(findings, facts, JSON.stringify(pictures));
  const rest = new TextEncoder().encode(draw([])).length;
  return draw(await drawPictures(findings.data, facts, MOST_BYTES - rest));
}

function renderPage(findings: Findings, facts: Facts, pictures: string): string {
  const name = escapeMarkup(findings.data.name);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>lpntk clean: ${name}</title>
<style>${pageStyle}${cardStyle}${figureStyle}</style>
</head>
<body>
<header>
<p class="tool">lpntk clean</p>
<h1><bdi>${name}</bdi></h1>
<p>${describeData(findings, facts)}</p>
<noscript><p class="note">The lists below are drawn by a script of this page, which the browser has turned off. The tables beside this file have the same.</p></noscript>
${renderCounts(findings)}
${renderVerification(findings)}
<div class="columns">
<section><h2>What was done</h2>
<ol>${findings.steps.map((step) => `<li>${escapeMarkup(step)}</li>`).join("")}</ol></section>
<section><h2>What to do next</h2>
<ol>${findings.next.map(renderStep).join("")}</ol></section>
</div>
</header>
${BAR}
<main>
${SECTIONS.map((section) => renderSection(section, findings)).join("")}
</main>
<script type="application/json" id="facts">${escapeJson(JSON.stringify(facts))}</script>
<script type="application/json" id="pictures">${escapeJson(pictures)}</script>
<script type="module">${SCRIPT}</script>
</body>
</html>
`;
}

/** Keeps JSON from ending the element that it stands in. */
function escapeJson(json: string): string {
  return json.replaceAll("<", "\\u003c");
}

function describeData({ data }: Findings, { isTable }: Facts): string {
  const [height, width, channels] = data.shape;
  const size = `${countThings(data.labels.length, "sample")} in ${
    countThings(data.classes, "class", "classes")
  }`;
  if (isTable) return `${size}: rows of ${countThings(channels, "number")}.`;
  const isScaled = !(data.images instanceof Uint8Array);
  return `${size}: ${channels < 3 ? "grey" : "colour"} pictures of ${height} × ${width} pixels${
    isScaled ? ", each shown from its smallest value, black, to its largest" : ""
  }.`;
}

/** Renders what was found in numbers, each the way to its section. */
function renderCounts({ suspects, duplicates, outliers, redundant }: Findings): string {
  const counts: readonly [id: string, count: number, what: string][] = [
    ["suspects", suspects.length, "labels look wrong"],
    ["copies", duplicates.length, "groups of copies"],
    ["outliers", outliers.length, "resemble no class"],
  ];
  const items = counts.map(([id, count, what]) =>
    `<li><a href="#${id}"><strong>${formatCount(count)}</strong> ${what}</a></li>`
  );
  return `<ul class="counts">${items.join("")}</ul>
<p class="note"><a href="#redundant">${describeRedundant(redundant.length)}</a></p>`;
}

/** Renders whether cleaning helps: a verdict for each comparison, and the accuracies. */
function renderVerification({ verification }: Findings): string {
  if (!verification) return "";
  const { test, seeds, arms } = verification;
  const about = `Accuracy on ${
    countThings(test.size, "test sample")
  }, mean ± standard deviation over ${countThings(seeds, "seed")}:`;
  const list = (lines: readonly string[]) =>
    `<ul>${lines.map((line) => `<li>${escapeMarkup(line)}</li>`).join("")}</ul>`;
  return `<section><h2>Whether cleaning helps</h2>
${list(describeVerdicts(verification))}
<p>${about}</p>
${list(describeArms(arms))}</section>`;
}

function renderStep({ text, command }: Findings["next"][number]): string {
  const code = command === undefined
    ? ""
    : `<div class="command"><code>${
      escapeMarkup(command)
    }</code><button type="button">Copy</button></div>`;
  return `<li>${escapeMarkup(text)}${code}</li>`;
}

/** Bar that stays in sight: how far one is, and the way to save it. */
const BAR = `<div id="bar" role="region" aria-label="Your decisions">
<p id="progress"></p>
<p id="status" role="status"></p>
<button type="button" id="undo">Undo <kbd>z</kbd></button>
<button type="button" id="open" hidden>Open decisions.csv</button>
<button type="button" id="save" class="main">Save decisions.csv</button>
</div>`;

/** Sections whose contents the script draws: id, title, and what a stranger has to know of them. */
const SECTIONS: readonly (readonly [id: string, title: string, about: string])[] = [
  [
    "suspects",
    "Labels that look wrong",
    "The most suspicious one first. Judges that had not learnt these labels hold another to be more likely. Look at the picture and say which label it should have. " +
    "The small pictures are why: those on the left are like it once it is relabelled, those on the right contradict the label it has, each with its cosine. " +
    "Score: how suspicious the label is, minus the logarithm of its probability by all judges. Loss: the same by the networks alone. " +
    "Own class: mean cosine to the other samples of its label.",
  ],
  [
    "copies",
    "Samples that are there more than once",
    "Each box holds copies of one sample, equal to the pixel or nearly so. One of each is enough. If copies have two labels, one of the labels is wrong.",
  ],
  [
    "outliers",
    "Samples that resemble no class",
    "The strangest first. They may be broken, or belong to none of the classes.",
  ],
  [
    "redundant",
    "Redundant samples",
    "The most redundant first, each beside the one that already teaches it. Nothing is to be decided: training without them takes less time.",
  ],
  ["map", "Classes that are confused", ""],
  [
    "scatter",
    "Difficulty against redundancy",
    "Each point is a sample: the higher, the harder it was to learn; the further right, the more another one teaches it. Wrong labels tend to stand at the top; right of 1 are the samples that another one makes redundant.",
  ],
];

/** Renders a section; the redundant samples begin with what their number means. */
function renderSection(
  [id, title, about]: typeof SECTIONS[number],
  { redundant }: Findings,
): string {
  const caveat = id === "redundant" ? `${describeRedundant(redundant.length)}. ` : "";
  return `<section id="${id}" aria-labelledby="title-${id}">
<h2 id="title-${id}">${title}</h2>
<p>${caveat}${about}</p>
<div class="content"></div>
</section>
`;
}

function countThings(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
