// @ts-check
/**
 * What a person has decided: remembered by the browser, taken back step by step, and written as CSV.
 *
 * @module
 */

/** @typedef {import("../facts.ts").Facts} Facts */
/** @typedef {{ readonly action: "keep" | "relabel" | "remove", readonly label?: number }} Decision */
/** @typedef {readonly [position: number, decision: Decision | undefined]} Change */

/** Decisions on samples, by their positions. */
export class Decisions {
  #key;
  #facts;
  #storage;
  /** @type {Map<number, Decision>} */
  #decided = new Map();
  /** @type {Change[][]} What was decided before each step. */
  #before = [];
  /** @type {((positions: number[]) => void)[]} */
  #listeners = [];

  /**
   * Opens the decisions that the browser remembers of this data set.
   *
   * @param {Pick<Facts, "key" | "labels" | "classes">} facts
   * @param {Pick<Storage, "getItem" | "setItem"> | undefined} storage undefined where the browser lets the page remember nothing
   */
  constructor(facts, storage) {
    this.#key = `lpntk clean ${facts.key}`;
    this.#facts = facts;
    this.#storage = storage;
    this.isKept = storage !== undefined;
    this.#decided = this.#recall();
  }

  /** @param {number} position @returns {Decision | undefined} */
  get(position) {
    return this.#decided.get(position);
  }

  get count() {
    return this.#decided.size;
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /** Whether decisions outlive the page. */
  isKept;

  /** @param {(positions: number[]) => void} listener is told of the samples whose decisions changed */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** Decides on samples in one step; `undefined` takes a decision back. @param {readonly Change[]} changes */
  decide(changes) {
    if (changes.length === 0) return;
    this.#before.push(changes.map(([position]) => [position, this.get(position)]));
    this.#apply(changes);
  }

  /** Takes the last step back. @returns {number[]} its samples */
  undo() {
    const changes = this.#before.pop() ?? [];
    this.#apply(changes);
    return changes.map(([position]) => position);
  }

  /** Takes over what another window of the same page decided. */
  reload() {
    const positions = [...this.#decided.keys()];
    this.#decided = this.#recall();
    this.#before = [];
    this.#tell([...new Set([...positions, ...this.#decided.keys()])]);
  }

  /** @param {readonly Change[]} changes */
  #apply(changes) {
    for (const [position, decision] of changes) {
      if (decision) this.#decided.set(position, decision);
      else this.#decided.delete(position);
    }
    this.#remember();
    this.#tell(changes.map(([position]) => position));
  }

  /** @param {number[]} positions */
  #tell(positions) {
    for (const listener of this.#listeners) listener(positions);
  }

  #remember() {
    try {
      this.#storage?.setItem(this.#key, JSON.stringify([...this.#decided]));
    } catch {
      // storage that is full or forbidden: the page says so
      this.isKept = false;
    }
  }

  /** @returns {Map<number, Decision>} */
  #recall() {
    try {
      /** @type {[number, Decision][]} */
      const entries = JSON.parse(this.#storage?.getItem(this.#key) ?? "[]");
      return new Map(entries.filter(([position]) => position in this.#facts.labels));
    } catch {
      return new Map();
    }
  }
}

/**
 * Writes decisions as `clean --apply` reads them, in the order of the samples: RFC 4180 with lines that end in a line feed.
 *
 * @param {Pick<Facts, "labels" | "classes" | "indices" | "files">} facts
 * @param {Decisions} decisions
 */
export function encodeDecisions({ labels, classes, indices, files }, decisions) {
  const lines = [["index", "file", "decision", "label"]];
  for (const position of labels.keys()) {
    const decision = decisions.get(position);
    if (!decision) continue;
    const { action, label = labels[position] } = decision;
    lines.push([
      String(indices ? indices[position] : position),
      quoteCell(files?.[position] ?? ""),
      action,
      quoteCell(classes[label]),
    ]);
  }
  return lines.map((cells) => `${cells.join(",")}\n`).join("");
}

/** Quotes a text as the tables of lpntk have it: with an apostrophe before what a spreadsheet would compute. @param {string} text */
function quoteCell(text) {
  const cell = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
