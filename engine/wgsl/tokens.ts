/**
 * Tokens of WGSL, and functions that find and replace them. Passes over shaders rewrite tokens, not text, so that they take no comment, member
 * or longer name for a use of a variable.
 *
 * @module
 */

/** Comment that marks a loop to unroll, after the loop's opening brace; it is kept as a token. */
export const UNROLL = "// unroll";

/** Alternatives in turn: white space and comments, the unroll mark, a word, numbers, operators of several characters and of one. */
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
 * Splits a shader into tokens, without comments except those that mark loops.
 *
 * @throws {SyntaxError} at a character that WGSL does not have, or a block comment.
 */
export function tokenize(code: string): string[] {
  const tokens: string[] = [];
  // equal tokens share one string, since a string is compared with itself at once
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

/** Tokens with a line break after them. */
const ENDS = new Set([";", "{", "}", UNROLL]);
/** Tokens without a space after them. */
const OPENS = new Set(["(", "[", ".", "@"]);
/** Tokens without a space before them. */
const FOLLOWS = new Set(["[", ")", "]", ",", ";", "."]);

/** Prints tokens as text, one statement per line. */
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
 * Matches brackets.
 *
 * @returns for each token the index of its closing bracket if it is an opening one, or else its own index
 * @throws {SyntaxError} if a bracket has no counterpart.
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
 * Finds the semicolon of the declaration that begins at token `start`, and returns its index.
 *
 * @throws {SyntaxError} if there is none.
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

/** Finds the indices at which `sequence` occurs in tokens. */
export function findAll(tokens: readonly string[], sequence: readonly string[]): number[] {
  const places: number[] = [];
  for (let at = tokens.indexOf(sequence[0]); at !== -1; at = tokens.indexOf(sequence[0], at + 1)) {
    if (sequence.every((token, i) => tokens[at + i] === token)) places.push(at);
  }
  return places;
}

/**
 * Finds the indices from `start` up to `end` at which `name` is used as a variable; members of that name are left out.
 *
 * @throws {SyntaxError} if the name is declared again in between, and so may mean another variable.
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

/** Replacement of `length` tokens by others. */
export interface Change {
  readonly length: number;
  readonly tokens: readonly string[];
}

/** Applies changes to tokens, by the index that each begins at. */
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
 * Replaces the only occurrence of `from` in tokens by `to`, both WGSL.
 *
 * @throws {SyntaxError} if `from` does not occur exactly once.
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

/** A line's comment, or either end of one that may hold others. */
const COMMENT_SIGN = /\/\/.*|\/\*|\*\//g;

/** WGSL of anybody's with spaces for its comments, also for those within one another; what else it holds stays at its place. */
export function blankComments(code: string): string {
  let blanked = "";
  let [depth, end] = [0, 0];
  COMMENT_SIGN.lastIndex = 0;
  for (let found; (found = COMMENT_SIGN.exec(code));) {
    const [sign] = found;
    const isLine = sign.startsWith("//");
    // within a comment of several lines the sign of the other kind means nothing
    if (isLine && depth > 0) {
      COMMENT_SIGN.lastIndex = found.index + 1;
      continue;
    }
    if (sign === "*/" && depth === 0) continue;
    const text = code.slice(end, found.index);
    blanked += (depth > 0 ? blank(text) : text) + blank(sign);
    if (!isLine) depth += sign === "/*" ? 1 : -1;
    end = COMMENT_SIGN.lastIndex;
  }
  const rest = code.slice(end);
  return blanked + (depth > 0 ? blank(rest) : rest);
}

/** Spaces for every character that is none already, so that lines keep their numbers. */
export function blank(text: string): string {
  return text.replace(/\S/g, " ");
}
