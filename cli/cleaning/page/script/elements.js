// @ts-check
/**
 * What the page knows of the samples, and the elements that show them.
 *
 * @module
 */

/** @typedef {import("../facts.ts").Facts} Facts */

/** @type {Facts} */
export const facts = readJson("facts");

/** @type {Map<number, string>} What stands for each sample: base64 of its PNG, or values of its row. */
const pictures = new Map(readJson("pictures"));

/** @param {string} id */
function readJson(id) {
  return JSON.parse(find(id).textContent);
}

/** @param {string} id @returns {HTMLElement} */
export function find(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`Cannot find the element ${id} of the page`);
  return element;
}

/** @param {string} section @returns {HTMLElement} */
export function findContent(section) {
  return /** @type {HTMLElement} */ (find(section).querySelector(".content"));
}

/**
 * Makes an element: what the element has as a property is set as one, anything else as an attribute.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) Object.assign(element, { [name]: value });
    else element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** @param {string} text @param {() => void} onclick */
export function makeButton(text, onclick, className = "") {
  return make("button", { type: "button", onclick, className }, text);
}

/** Makes the name of a class, whichever way it is written; a long one is cut, and whole where it is pointed at. @param {number} label */
export function makeClassName(label) {
  const name = facts.classes[label];
  return make("bdi", { className: "class", title: name }, name);
}

/** @param {number} position */
export function indexSample(position) {
  return facts.indices ? facts.indices[position] : position;
}

/** Names a sample by its file, or else by its index. @param {number} position */
export function nameSample(position) {
  return facts.files?.[position] ?? `sample ${indexSample(position)}`;
}

/** Makes the line that names a sample. @param {number} position */
export function makeSampleName(position) {
  const name = make("bdi", {}, nameSample(position));
  const index = facts.files?.[position] === undefined ? [] : [` · sample ${indexSample(position)}`];
  return make("p", { className: "file" }, name, ...index);
}

/** Makes a sample's picture, or the values that stand for it, or says that there is none. @param {number} position */
export function makePicture(position) {
  const shown = pictures.get(position) ?? "no picture";
  if (facts.isTable || !pictures.has(position)) {
    return make("span", { className: "picture none" }, shown);
  }
  const src = `data:image/png;base64,${shown}`;
  const alt = `${nameSample(position)}, labelled ${facts.classes[facts.labels[position]]}`;
  const image = make("img", { className: "picture", src, alt });
  // small pictures are enlarged pixel by pixel; a large one, which was shrunk for this page, is not
  image.onload = () =>
    image.classList.toggle("enlarged", Math.max(image.naturalWidth, image.naturalHeight) <= 64);
  return image;
}

/** Writes a number, or a dash for none. @param {number | null} value */
export function formatNumber(value) {
  return value === null ? "–" : String(Number(value.toPrecision(3))).replace("-", "−");
}

/** @param {number} count @param {string} one */
export function countThings(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
