/**
 * Compile-time expansion of shaders: constants are set by the host and replaced by their values, loops marked `// unroll` are unrolled, and
 * constant integer expressions are folded.
 *
 * Loops are unrolled since Lavapipe keeps an array in registers only where every index is a constant, and a subgroup broadcast needs a constant
 * lane. Expressions are folded since the time of Deno's WGSL compiler grows with the square of a function's number of expressions, and unrolled
 * loops are full of constant ones: a convolution compiles in a second without folding, and in a tenth of that with it.
 *
 * @module
 */
import { findSemicolon, matchBrackets, UNROLL } from "./tokens.ts";

/** Whether a token is a decimal integer literal. */
function isInteger(token: string | undefined): boolean {
  return token !== undefined && /^\d+[iu]?$/.test(token);
}

/** Assignment operators, and increment and decrement. */
const ASSIGNMENT = /^(\+\+|--|([-+*/%&|^]|<<|>>)?=)$/;

/** Largest integer that all integer types of WGSL have. */
const LARGEST = 2 ** 31 - 1;

/** Tokens that may precede a foldable expression, by the token that follows it. */
const SURROUNDINGS = new Map([["]", "["], [")", "(,"], [",", "(,"], [";", "="], [">", ","]]);

const OPERATORS = new Set(["+", "-", "*", "/", "%"]);

/**
 * Expands a shader: sets its constants, unrolls its marked loops and folds its constant integer expressions.
 *
 * @param values values of constants by name, for declarations as in `const NAME = 8;`
 * @throws {SyntaxError} if the shader does not declare one of them, or a marked loop has a form that cannot be unrolled.
 */
export function expand(
  tokens: readonly string[],
  values: Readonly<Record<string, number>> = {},
): string[] {
  const { constants, others } = takeConstants(tokens, values);
  return new Expansion(others).run(constants);
}

/** Separates a shader's constants whose values are integers without a type suffix from its other tokens. */
function takeConstants(tokens: readonly string[], values: Readonly<Record<string, number>>) {
  const declared = new Map<string, readonly string[]>();
  const closing = matchBrackets(tokens);
  const others: string[] = [];
  for (let at = 0; at < tokens.length;) {
    const isConstant = tokens[at] === "const" && tokens[at + 2] === "=";
    const end = (isConstant ? findSemicolon(tokens, closing, at) : closing[at]) + 1;
    if (isConstant) declared.set(tokens[at + 1], tokens.slice(at, end));
    while (!isConstant && at < end) others.push(tokens[at++]);
    at = end;
  }
  const unknown = Object.keys(values).filter((name) => !declared.has(name));
  if (unknown.length > 0) {
    throw new SyntaxError(
      `Cannot set constants of a shader: got no declaration of ${unknown.join(", ")}`,
    );
  }
  const constants = new Map(Object.entries(values).map(([name, value]) => [name, String(value)]));
  for (let known = -1; known < constants.size;) {
    known = constants.size;
    for (const [name, declaration] of declared) {
      if (constants.has(name)) continue;
      const [, , , value, semicolon] = new Expansion(declaration).run(constants);
      if (/^\d+$/.test(value) && semicolon === ";") constants.set(name, value);
    }
  }
  const kept = [...declared].filter(([name]) => !constants.has(name));
  return { constants, others: [...kept.flatMap(([, declaration]) => declaration), ...others] };
}

/** Pass through a shader, from its first token to its last. */
class Expansion {
  readonly #written: string[] = [];
  readonly #closing: readonly number[];
  /** Values that replace names at the current token; undefined for a variable. */
  readonly #values = new Map<string, string | undefined>();
  /** Values that names declared in the current block have outside of it. */
  #outer: (readonly [name: string, value: string | undefined])[] = [];

  constructor(private readonly tokens: readonly string[]) {
    this.#closing = matchBrackets(tokens);
  }

  run(constants: ReadonlyMap<string, string>): string[] {
    for (const [name, value] of constants) this.#values.set(name, value);
    this.#expand(0, this.tokens.length);
    return this.#written;
  }

  #expand(start: number, end: number): void {
    for (let at = start; at < end;) at = this.#step(at);
  }

  /** Expands a scope, and restores the outer values of its names afterwards. */
  #enclose<T>(expand: () => T): T {
    const outer = this.#outer;
    this.#outer = [];
    const result = expand();
    for (const [name, value] of this.#outer.reverse()) this.#values.set(name, value);
    this.#outer = outer;
    return result;
  }

  /** Declares a name until the end of the scope: as a number to replace it by, or as a variable. */
  #name(name: string, value?: string): void {
    this.#outer.push([name, this.#values.get(name)]);
    this.#values.set(name, value);
  }

  /** Expands the construct that begins at a token, and returns the index after it. */
  #step(at: number): number {
    const { tokens } = this;
    const token = tokens[at];
    switch (token) {
      case "{":
        return this.#expandBlock(at);
      case "fn":
        return this.#enclose(() => this.#expandFunction(at));
      case "for":
        return this.#enclose(() => this.#expandLoop(at));
      case "let":
      case "const":
      case "var":
        return this.#expandDeclaration(at);
      case ".":
      case "@":
        this.#written.push(token, tokens[at + 1]);
        return at + 2;
      case "switch":
      case UNROLL:
        throw new SyntaxError(
          `Cannot expand a shader: got '${token}', need no 'switch', and '${UNROLL}' behind a loop's brace alone`,
        );
    }
    if (tokens[at + 1] === ":") this.#name(token);
    const value = this.#values.get(token);
    if (value !== undefined && ASSIGNMENT.test(tokens[at + 1])) {
      throw new SyntaxError(`Cannot expand a shader: got an assignment to '${token}', a number`);
    }
    this.#write(value ?? token);
    return at + 1;
  }

  #expandBlock(open: number): number {
    const close = this.#closing[open];
    this.#written.push("{");
    this.#enclose(() => this.#expand(open + 1, close));
    this.#written.push("}");
    return close + 1;
  }

  #expandFunction(at: number): number {
    const open = this.tokens.indexOf("{", at);
    this.#written.push("fn", this.tokens[at + 1]);
    this.#expand(at + 2, open);
    return this.#expandBlock(open);
  }

  #expandLoop(at: number): number {
    const open = this.#closing[at + 1] + 1;
    if (this.tokens[open + 1] === UNROLL) return this.#unroll(at, open);
    this.#written.push("for");
    this.#expand(at + 1, open);
    return this.#expandBlock(open);
  }

  /** Writes a copy of a loop's body for each iteration, with the variable replaced by 0u, 1u, ... */
  #unroll(at: number, open: number): number {
    const header = this.tokens.slice(at, open);
    const [name, bound] = [header[3], header[9]];
    const count = this.#values.get(bound) ?? bound;
    const form = `for ( var ${name} = 0u ; ${name} < ${bound} ; ${name} ++ )`;
    if (header.join(" ") !== form || !/^\d+u?$/.test(count)) {
      throw new SyntaxError(
        `Cannot unroll a shader's loop: got '${
          header.join(" ")
        }', need 'for (var i = 0u; i < 8u; i++)' with a number or a constant`,
      );
    }
    const close = this.#closing[open];
    this.#refuseJumps(open + 2, close);
    for (let i = 0; i < parseInt(count); i++) {
      this.#written.push("{");
      this.#enclose(() => {
        this.#name(name, `${i}u`);
        this.#expand(open + 2, close);
      });
      this.#written.push("}");
    }
    return close + 1;
  }

  /** Refuses `break` and `continue` of a loop that is to be unrolled. */
  #refuseJumps(start: number, end: number): void {
    for (let at = start; at < end; at++) {
      const token = this.tokens[at];
      if (token === "break" || token === "continue") {
        throw new SyntaxError(`Cannot unroll a shader's loop: got '${token}' in it`);
      }
      if (token === "for" || token === "while" || token === "loop") {
        at = this.#closing[this.tokens.indexOf("{", at)];
      }
    }
  }

  /** Expands a declaration up to its semicolon; a `let` that names a number is dropped, and the number replaces its name from there on. */
  #expandDeclaration(at: number): number {
    const { tokens } = this;
    const named = tokens[at + 1] === "<" ? tokens.indexOf(">", at) + 1 : at + 1;
    const name = tokens[named];
    const end = findSemicolon(tokens, this.#closing, at);
    const start = this.#written.length;
    this.#written.push(...tokens.slice(at, named + 1));
    this.#expand(named + 1, end);
    this.#write(";");
    const [keyword, , equals, value, semicolon] = this.#written.slice(start, start + 5);
    const isNumber = keyword === "let" && equals === "=" && isInteger(value) &&
      semicolon === ";";
    if (isNumber) this.#written.length = start;
    this.#name(name, isNumber ? value : undefined);
    return end + 1;
  }

  /** Writes a token, after folding the expression that it ends. */
  #write(token: string): void {
    const written = this.#written;
    const behind = SURROUNDINGS.get(token);
    const isNumber = behind !== undefined && isInteger(written[written.length - 1]);
    const isAdded = isNumber && this.#addUp(token, behind);
    const { length } = written;
    if (isNumber && token === ")" && written[length - 2] === "(") {
      const before = written[length - 3];
      const value = written[length - 1];
      // parentheses around a number alone, not those of a call: `f(` or `array<f32, 2>(`
      if (isAdded && !/^(\w+|>)$/.test(before)) {
        written.length -= 2;
        written.push(value);
        return;
      }
      if (before === "i32" && !value.endsWith("i")) {
        written.length -= 3;
        written.push(`${parseInt(value)}i`);
        return;
      }
    }
    written.push(token);
  }

  /** Replaces the expression just written by its value if it alone stands between a token of `behind` and `end`; returns whether it did. */
  #addUp(end: string, behind: string): boolean {
    const written = this.#written;
    let start = written.length - 1;
    while (OPERATORS.has(written[start - 1]) && isInteger(written[start - 2])) start -= 2;
    const before = written[start - 1];
    if (start === written.length - 1 || !behind.includes(before)) return false;
    if (end === ";" && !/^(let|const)$/.test(written[start - 3])) return false;
    // '>' ends a template, as in array<f32, 2 * 3>, or else compares
    if (end === ">" && !(written[start - 3] === "<" && written[start - 4] === "array")) {
      return false;
    }
    const value = evaluate(written.slice(start));
    if (value === undefined) return false;
    written.length = start;
    written.push(value);
    return true;
  }
}

/** Evaluates an integer expression; the value has the suffix of its numbers, and is undefined where WGSL has none. */
function evaluate(sum: readonly string[]): string | undefined {
  let suffix = "";
  let [total, sign, product] = [0, 1, 0];
  for (let at = 0; at < sum.length; at += 2) {
    const operator = sum[at - 1] ?? "+";
    const factor = parseInt(sum[at]);
    const type = /[iu]?$/.exec(sum[at])![0];
    if (suffix && type && suffix !== type) return undefined;
    suffix ||= type;
    if (operator === "+" || operator === "-") {
      total += sign * product;
      sign = operator === "+" ? 1 : -1;
      product = factor;
    } else if (operator === "*") product *= factor;
    else product = operator === "/" ? Math.trunc(product / factor) : product % factor;
    const value = total + sign * product;
    // a step that overflows its type has no value, nor has a division by zero, which is infinite or NaN here
    const isRight = product <= LARGEST && Math.abs(value) <= LARGEST &&
      (suffix !== "u" || total >= 0);
    if (!isRight) return undefined;
  }
  total += sign * product;
  return total >= 0 ? `${total}${suffix}` : undefined;
}
