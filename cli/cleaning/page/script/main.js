// @ts-check
/**
 * The page: draws its parts, and says how far one is.
 *
 * @module
 */
import { decisions } from "./cards.js";
import { drawClassMap } from "./class_map.js";
import { encodeDecisions } from "./decisions.js";
import { facts, find, findContent, make } from "./elements.js";
import { announce, listenToKeys, makeKeyLegend, undo } from "./keys.js";
import { countDecided, drawLists, tasks } from "./lists.js";
import { openDecisions } from "./opening.js";
import { drawScatter } from "./scatter.js";

/** Says how many are decided, and what can be done with them. */
function showProgress() {
  const parts = tasks.map(({ what, positions }) =>
    `${countDecided(positions)} of ${positions.length} ${what}`
  );
  find("progress").textContent = parts.length === 0
    ? "There is nothing to decide."
    : `${parts.join(" · ")} decided`;
  disable("undo", !decisions.canUndo);
  disable("save", decisions.count === 0);
  if (!decisions.isKept) {
    announce("This browser forgets decisions with the page: save them before.");
  }
}

/** @param {string} id @param {boolean} isDisabled */
function disable(id, isDisabled) {
  /** @type {HTMLButtonElement} */ (find(id)).disabled = isDisabled;
}

/** Saves the decisions as a file, as the browser saves files. */
function saveDecisions() {
  const csv = new Blob([encodeDecisions(facts, decisions)], { type: "text/csv" });
  const href = URL.createObjectURL(csv);
  make("a", { href, download: "decisions.csv" }).click();
  URL.revokeObjectURL(href);
  announce(`Saved ${decisions.count} in decisions.csv; everything else stays as it is.`);
}

/** Copies the command beside a button, or marks it for copying where the browser forbids that. @param {HTMLButtonElement} button */
async function copyCommand(button) {
  const code = /** @type {HTMLElement} */ (button.previousElementSibling);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(code);
  }
}

findContent("suspects").append(makeKeyLegend());
drawLists();
drawClassMap();
drawScatter();
listenToKeys();
decisions.listen(showProgress);
showProgress();
find("undo").onclick = undo;
find("save").onclick = saveDecisions;
find("open").onclick = openDecisions;
// without files nothing tells a sample whose index has changed
find("open").hidden = facts.files === undefined;
for (const button of document.querySelectorAll(".command button")) {
  const copy = /** @type {HTMLButtonElement} */ (button);
  copy.onclick = () => copyCommand(copy);
}
addEventListener("storage", () => decisions.reload());
