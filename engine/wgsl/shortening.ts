/**
 * Scalar replacement of arrays: where every index of an array is a number, variables in its place need fewer expressions.
 *
 * @module
 */
import { type Change, findUses, matchBrackets, replaceAt } from "./tokens.ts";

const INDEX = /^\d+u?$/;

/** Replaces each array in a function whose indices are all numbers by variables: `x[2u]` becomes `x_2`. */
export function splitArrays(tokens: readonly string[]): string[] {
  const closing = matchBrackets(tokens);
  const names = new Set(tokens);
  const changes = new Map<number, Change>();
  const blocks: number[] = [];
  tokens.forEach((token, at) => {
    if (token === "{") blocks.push(closing[at]);
    else if (token === "}") blocks.pop();
    else if (token === "var" && blocks.length > 0) {
      splitArray(tokens, at, blocks.at(-1)!, names)?.forEach((change, place) =>
        changes.set(place, change)
      );
    }
  });
  return replaceAt(tokens, changes);
}

/** Lists the changes, by token index, that split the array declared at `at`, whose scope ends at `end`; undefined if it cannot be split. */
function splitArray(
  tokens: readonly string[],
  at: number,
  end: number,
  names: ReadonlySet<string>,
): Map<number, Change> | undefined {
  const [, name, , , , type, , length] = tokens.slice(at, at + 10);
  const declaration = ["var", name, ":", "array", "<", type, ",", length, ">", ";"];
  if (declaration.some((token, i) => tokens[at + i] !== token) || !INDEX.test(length)) return;
  const uses = findUses(tokens, name, at + declaration.length, end);
  const count = parseInt(length);
  const isIndexed = (use: number) =>
    tokens[use + 1] === "[" && INDEX.test(tokens[use + 2]) && tokens[use + 3] === "]" &&
    parseInt(tokens[use + 2]) < count;
  const variables = Array.from({ length: count }, (_, i) => `${name}_${i}`);
  if (!uses.every(isIndexed) || variables.some((variable) => names.has(variable))) return;
  const changes = new Map<number, Change>([[at, {
    length: declaration.length,
    tokens: variables.flatMap((variable) => ["var", variable, ":", type, ";"]),
  }]]);
  for (const use of uses) {
    const variable = variables[parseInt(tokens[use + 2])];
    const [open, component, close] = tokens.slice(use + 4, use + 7);
    const isComponent = /^vec[234]/.test(type) && open === "[" && /^[0-3]u?$/.test(component) &&
      close === "]";
    changes.set(use, {
      length: isComponent ? 7 : 4,
      tokens: isComponent ? [variable, ".", "xyzw"[parseInt(component)]] : [variable],
    });
  }
  return changes;
}
