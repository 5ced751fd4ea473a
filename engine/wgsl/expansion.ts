/**
 * What is known of a shader before it is compiled, worked out: constants get the numbers that the host sets and take their names' place,
 * loops marked `// unroll` are written out, and sums of whole numbers are added up.
 *
 * Lavapipe keeps an array in registers only where every index is a constant, and a subgroup broadcast must name a constant lane: hence the
 * loops. Deno's compiler of WGSL takes a time that grows with the square of a function's expressions, and unrolled loops are full of sums of
 * constants: a convolution's takes a second as it is written out, a tenth of that as it leaves here. Hence the sums.
 *
 * @module
 */
import { findSemicolon, matchBrackets, UNROLL } from "./tokens.ts";

/** Whether a token is a whole number that can be added up. */
function isInteger(token: string | undefined): boolean {
  return token !== undefined && /^\d+[iu]?$/.test(token);
}

/** What stands behind a variable that is set. */
const ASSIGNMENT = /^(\+\+|--|([-+*/%&|^]|<<|>>)?=)$/;

/** The largest number that all types of WGSL have. */
const LARGEST = 2 ** 31 - 1;

/** What a sum may stand behind, by what it may stand before. */
const SURROUNDINGS = new Map([["]", "["], [")", "(,"], [",", "(,"], [";", "="], [">", ","]]);

const OPERATORS = new Set(["+", "-", "*", "/", "%"]);

/**
 * A shader with its constants set, its marked loops written out and its sums of whole numbers added up.
 *
 * @param values numbers of constants by their names, as in `const NAME = 8;`
 * @throws {SyntaxError} if the shader does not declare one of them, or a marked loop is not of the form that can be written out.
 */
export function expand(
  tokens: readonly string[],
  values: Readonly<Record<string, number>> = {},
): string[] {
  const { constants, others } = takeConstants(tokens, values);
  return new Expansion(others).run(constants);
}

/** Takes constants out of a shader whose values are whole numbers of no type. */
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

/** One way through a shader, from its first token to its last. */
class Expansion {
  readonly #written: string[] = [];
  readonly #closing: readonly number[];
  /** What takes the place of names where the way has come to; nothing takes that of a variable. */
  readonly #values = new Map<string, string | undefined>();
  /** What names of the block that the way is in meant outside of it. */
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

  /** Goes through a part whose names mean nothing outside of it. */
  #enclose<T>(expand: () => T): T {
    const outer = this.#outer;
    this.#outer = [];
    const result = expand();
    for (const [name, value] of this.#outer.reverse()) this.#values.set(name, value);
    this.#outer = outer;
    return result;
  }

  /** From here on to the end of the block a name is another variable, or a number. */
  #name(name: string, value?: string): void {
    this.#outer.push([name, this.#values.get(name)]);
    this.#values.set(name, value);
  }

  /** Writes what begins at a token, and returns where that ends. */
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

  /** Writes as many copies of a loop's body, its variable 0u, 1u, ... */
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

  /** Copies of a body are no loop that one could leave. */
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

  /** A declaration up to its semicolon; a name for a number is that number from there on. */
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

  /** Writes a token, after adding up what it ends. */
  #write(token: string): void {
    const written = this.#written;
    const behind = SURROUNDINGS.get(token);
    const isNumber = behind !== undefined && isInteger(written[written.length - 1]);
    const isAdded = isNumber && this.#addUp(token, behind);
    const { length } = written;
    if (isNumber && token === ")" && written[length - 2] === "(") {
      const before = written[length - 3];
      const value = written[length - 1];
      // brackets of its own, not those of a call: `f(` or `array<f32, 2>(`
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

  /** Puts a number in the place of the sum that has just been written, if that is all there is between `behind` and `end`. */
  #addUp(end: string, behind: string): boolean {
    const written = this.#written;
    let start = written.length - 1;
    while (OPERATORS.has(written[start - 1]) && isInteger(written[start - 2])) start -= 2;
    const before = written[start - 1];
    if (start === written.length - 1 || !behind.includes(before)) return false;
    if (end === ";" && !/^(let|const)$/.test(written[start - 3])) return false;
    // array<f32, 2 * 3>, where another '>' compares
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

/** The value of a sum with the type of its numbers, or nothing where WGSL has none. */
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
    // where a step leaves its type there is no value, and what is divided by zero is no number at all
    const isRight = product <= LARGEST && Math.abs(value) <= LARGEST &&
      (suffix !== "u" || total >= 0);
    if (!isRight) return undefined;
  }
  total += sign * product;
  return total >= 0 ? `${total}${suffix}` : undefined;
}
