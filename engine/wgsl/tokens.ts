/**
 * WGSL as tokens: what passes over shaders work on, so that no comment, member or longer name is taken for something else.
 *
 * @module
 */

/** A comment that stays, behind the brace that opens the loop which it marks. */
export const UNROLL = "// unroll";

/** White space and comments; a word, a number, a sign of several characters, or one of a single character. */
const TOKEN = new RegExp(
  [
    String.raw`(?<blank>\s+|//(?! unroll$).*)`,
    "// unroll$",
    String.raw`[A-Za-z_]\w*`,
    String.raw`0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?[iufh]?`,
    String.raw`(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[iufh]?`,
    String.raw`<<=|>>=|->|\+\+|--|&&|\|\||<<|>>|[-+*/%&|^=!<>]=`,
    String.raw`/(?!\*)|[-+*%&|^=!<>~@(){}\[\],;:.]`,
  ].join("|"),
  "my",
);

const BRACKETS = new Map([["{", "}"], ["(", ")"], ["[", "]"]]);
const CLOSING = new Set(BRACKETS.values());

/**
 * The tokens of a shader. Comments are left out, but for those that mark loops.
 *
 * @throws {SyntaxError} at a character that WGSL does not have, or a comment of several lines.
 */
export function tokenize(code: string): string[] {
  const tokens: string[] = [];
  // the same string for the same token: strings that are the same object are compared at once
  const known = new Map<string, string>();
  TOKEN.lastIndex = 0;
  for (let at = 0; at < code.length; at = TOKEN.lastIndex) {
    const found = TOKEN.exec(code);
    if (!found) {
      const [line] = code.slice(at).split("\n", 1);
      throw new SyntaxError(`Cannot read a shader: got '${line}', need WGSL with // comments`);
    }
    const [token] = found;
    if (found.groups!.blank) continue;
    if (!known.has(token)) known.set(token, token);
    tokens.push(known.get(token)!);
  }
  return tokens;
}

/** What a line ends behind. */
const ENDS = new Set([";", "{", "}", UNROLL]);
/** What no space stands behind. */
const OPENS = new Set(["(", "[", ".", "@"]);
/** What no space stands before. */
const FOLLOWS = new Set(["[", ")", "]", ",", ";", "."]);

/** Tokens as text, a line for each statement. */
export function print(tokens: readonly string[]): string {
  let code = "";
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    code += token;
    if (ENDS.has(token)) code += "\n";
    else if (!OPENS.has(token) && !FOLLOWS.has(tokens[at + 1])) {
      const isCall = tokens[at + 1] === "(" && /\w$/.test(token);
      if (!isCall) code += " ";
    }
  }
  return code;
}

/**
 * Where what begins at each token ends: at the closing bracket for an opening one, and where it is for any other token.
 *
 * @throws {SyntaxError} if one of them lacks the other.
 */
export function matchBrackets(tokens: readonly string[]): readonly number[] {
  const closing: number[] = [];
  const open: number[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    closing.push(at);
    if (BRACKETS.has(token)) open.push(at);
    else if (CLOSING.has(token)) {
      const start = open.pop();
      if (start === undefined || BRACKETS.get(tokens[start]) !== token) {
        throw new SyntaxError(`Cannot read a shader: got '${token}' that closes nothing`);
      }
      closing[start] = at;
    }
  }
  if (open.length > 0) {
    throw new SyntaxError(`Cannot read a shader: got no end of '${tokens[open.at(-1)!]}'`);
  }
  return closing;
}

/**
 * Where the declaration that begins at a token has its semicolon.
 *
 * @throws {SyntaxError} if it has none.
 */
export function findSemicolon(
  tokens: readonly string[],
  closing: readonly number[],
  start: number,
): number {
  for (let at = start; at < tokens.length; at = closing[at] + 1) {
    if (tokens[at] === ";") return at;
  }
  throw new SyntaxError(`Cannot read a shader: got '${tokens[start]}' without a semicolon`);
}

/** The places where `sequence` stands among tokens. */
export function findAll(tokens: readonly string[], sequence: readonly string[]): number[] {
  const places: number[] = [];
  for (let at = tokens.indexOf(sequence[0]); at !== -1; at = tokens.indexOf(sequence[0], at + 1)) {
    if (sequence.every((token, i) => tokens[at + i] === token)) places.push(at);
  }
  return places;
}

/**
 * The places from `start` up to `end` where `name` is used as a variable; members of that name are no uses of it.
 *
 * @throws {SyntaxError} if it is declared there once more, and so may mean another variable.
 */
export function findUses(
  tokens: readonly string[],
  name: string,
  start: number,
  end = tokens.length,
): number[] {
  const uses: number[] = [];
  for (
    let at = tokens.indexOf(name, start);
    at !== -1 && at < end;
    at = tokens.indexOf(name, at + 1)
  ) {
    const [before, after] = [tokens[at - 1], tokens[at + 1]];
    if (before === ".") continue;
    if (/^(let|var|const|fn)$/.test(before) || after === ":" || (before === ">" && after === "=")) {
      throw new SyntaxError(`Cannot change a shader: got two declarations of '${name}'`);
    }
    uses.push(at);
  }
  return uses;
}

/** So many tokens, and what takes their place. */
export interface Change {
  readonly length: number;
  readonly tokens: readonly string[];
}

/** Tokens after changes at some places. */
export function replaceAt(
  tokens: readonly string[],
  changes: ReadonlyMap<number, Change>,
): string[] {
  const changed: string[] = [];
  let next = 0;
  for (const [at, change] of [...changes].sort(([a], [b]) => a - b)) {
    while (next < at) changed.push(tokens[next++]);
    for (const token of change.tokens) changed.push(token);
    next = at + change.length;
  }
  while (next < tokens.length) changed.push(tokens[next++]);
  return changed;
}

/**
 * Tokens with other WGSL in the place of some.
 *
 * @throws {SyntaxError} if what is to be replaced does not stand there once.
 */
export function replaceOnce(tokens: readonly string[], from: string, to: string): string[] {
  const sequence = tokenize(from);
  const places = findAll(tokens, sequence);
  if (places.length !== 1) {
    throw new SyntaxError(
      `Cannot change a shader: got '${from}' ${places.length} times, need it once`,
    );
  }
  return tokens.toSpliced(places[0], sequence.length, ...tokenize(to));
}
