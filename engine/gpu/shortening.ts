/**
 * Saying the same shader in fewer expressions.
 *
 * Deno's compiler of WGSL takes a time that grows with the square of a function's expressions, and unrolled loops are full of sums of
 * constants: a convolution's takes a second as it is written out, a tenth of that as it leaves here. Nothing is remembered of it between
 * processes.
 *
 * @module
 */
import { CONSTANT, findClosing } from "./expansion.ts";

/** Whole numbers and what is between them, spaced as `deno fmt` would. */
const SUM = String.raw`\d+[iu]?(?: [-+*/%] \d+[iu]?)+`;

/** Where a sum stands alone: an index or a length, brackets of its own, an argument. */
const SUMS = [
  new RegExp(String.raw`(?<=\[)${SUM}(?=\])`, "g"),
  new RegExp(String.raw`(?<=array<\w+, )${SUM}(?=>)`, "g"),
  new RegExp(String.raw`(?<!\w)\(${SUM}\)`, "g"),
  new RegExp(String.raw`(?<=[(,] ?)${SUM}(?=[,)])`, "g"),
  new RegExp(String.raw`(?<=let \w+ = )${SUM}(?=;)`, "g"),
];

/** A name for a number, as in `let sum = 12u;`. */
const NAMED_NUMBER = /let (\w+) = (\d+[iu]?);/;

/** An array that its function declares. */
const ARRAY = /var (\w+): array<(\w+), (\d+)>;/g;

/** Puts numbers in the place of constants and their sums, and variables in the place of arrays whose every index is a number. */
export function shorten(source: string): string {
  return splitArrays(addUp(insertConstants(source)));
}

function insertConstants(source: string): string {
  const values = new Map([...source.matchAll(CONSTANT)].map(([, name, value]) => [name, value]));
  return source.replace(
    /^(?:const\b|const_assert\b|\/\/).*$|\b[A-Z][A-Z_]*\b/gm,
    (text) => values.get(text) ?? text,
  );
}

/** Works sums of constants out, until there is none. */
function addUp(source: string): string {
  let code = source;
  for (let before = ""; before !== code;) {
    before = code;
    for (const pattern of SUMS) code = code.replace(pattern, evaluate);
    code = code.replace(/\bi32\((\d+)u?\)/g, "$1i");
    code = insertNumbers(code);
  }
  return code;
}

/** The value of a sum with the type of its numbers; the sum itself where it is negative. */
function evaluate(sum: string): string {
  const [first, ...rest] = sum.replace(/[()]/g, "").split(/(?= [-+] )/);
  const total = rest.reduce((total, term) => {
    const product = multiply(term.slice(3));
    return term[1] === "+" ? total + product : total - product;
  }, multiply(first));
  return total < 0 ? sum : `${total}${sum.match(/[iu]/)?.[0] ?? ""}`;
}

function multiply(term: string): number {
  const [first, ...rest] = term.split(/(?= [*/%] )/);
  return rest.reduce((product, factor) => {
    const number = parseInt(factor.slice(3));
    if (factor[1] === "*") return product * number;
    return factor[1] === "/" ? Math.floor(product / number) : product % number;
  }, parseInt(first));
}

function insertNumbers(source: string): string {
  let code = source;
  for (let found = NAMED_NUMBER.exec(code); found; found = NAMED_NUMBER.exec(code)) {
    const [{ length }, name, value] = found;
    const end = findClosing(code, found.index);
    const scope = code.slice(found.index + length, end);
    const inserted = scope.replace(new RegExp(String.raw`\b${name}\b`, "g"), value);
    code = code.slice(0, found.index) + inserted + code.slice(end);
  }
  return code;
}

function splitArrays(source: string): string {
  let code = source;
  for (const [declaration, name, type, count] of source.matchAll(ARRAY)) {
    const start = code.indexOf(declaration);
    const end = findClosing(code, start);
    const scope = code.slice(start + declaration.length, end);
    const uses = scope.matchAll(new RegExp(String.raw`\b${name}\b(\[\d+u?\])?`, "g"));
    if (![...uses].every(([, index]) => index)) continue;
    const variables = Array.from({ length: Number(count) }, (_, i) => `var ${name}_${i}: ${type};`);
    const split = scope.replace(
      new RegExp(String.raw`\b${name}\[(\d+)u?\](?:\[([0-3])u?\])?`, "g"),
      (_, i, component) => `${name}_${i}${component ? `.${"xyzw"[component]}` : ""}`,
    );
    code = code.slice(0, start) + variables.join("\n") + split + code.slice(end);
  }
  return code;
}
