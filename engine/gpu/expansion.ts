/**
 * What happens to a shader's text before it is compiled, so that its tile is stated once and yet fits a layer and a driver.
 *
 * Constants get other numbers, loops marked `// unroll` are written out, and functions are exchanged for others: lavapipe keeps an array in
 * registers only where every index is a constant, a subgroup broadcast must name a constant lane, and a shader that names it does not
 * compile where there are no subgroups. Nothing else of WGSL is understood.
 *
 * @module
 */

/** A constant that the host may set, as in `const POSITIONS = 8;`. */
export const CONSTANT = /^const ([A-Z_]+) = (\d+);/gm;

/** A loop to be written out: `for (var i = 0u; i < 8u; i++) { // unroll`, or as far as a constant. */
const LOOP = /for \(var (\w+) = 0u; \1 < (?:(\d+)u|([A-Z_]+)); \1\+\+\) \{ \/\/ unroll\n/;

/**
 * Gives constants other numbers.
 *
 * @throws {SyntaxError} if the shader does not declare one of them.
 */
export function setConstants(source: string, values: Readonly<Record<string, number>>): string {
  const unknown = new Set(Object.keys(values));
  const code = source.replace(CONSTANT, (line, name) => {
    if (!unknown.delete(name)) return line;
    return `const ${name} = ${values[name]};`;
  });
  if (unknown.size > 0) {
    throw new SyntaxError(
      `Cannot set constants of a shader: got no declaration of ${[...unknown].join(", ")}`,
    );
  }
  return code;
}

/**
 * Makes what a shader calls its `Numbers` quads of them, and so its `Integers` where it has any.
 *
 * @throws {SyntaxError} if the shader has no such name.
 */
export function takeQuads(source: string): string {
  return redeclare(source, "alias Numbers = f32;", "alias Numbers = vec4f;")
    .replace("alias Integers = i32;", "alias Integers = vec4i;");
}

/**
 * Makes a buffer of numbers one of quads.
 *
 * @throws {SyntaxError} if the shader does not declare it.
 */
export function bindQuads(source: string, name: string): string {
  return redeclare(source, `> ${name}: array<f32>;`, `> ${name}: array<vec4f>;`);
}

/**
 * Settles between functions `name` and `name_suffix`, which take and return the same: the second takes the first's name and place where it
 * is `chosen`, and is left out elsewhere.
 */
export function chooseFunctions(
  source: string,
  suffix: string,
  isChosen: (name: string) => boolean,
): string {
  const pattern = new RegExp(`^fn (\\w+)_${suffix}\\(`, "m");
  let code = source;
  for (let found = pattern.exec(code); found; found = pattern.exec(code)) {
    const [head, name] = found;
    if (!isChosen(name)) {
      code = removeFunction(code, head);
      continue;
    }
    code = removeFunction(code, `fn ${name}(`).replace(head, `fn ${name}(`);
  }
  return code;
}

/**
 * Replaces each loop marked `// unroll` by as many copies of its body, its variable by 0u, 1u, ...; outer loops first.
 *
 * @throws {SyntaxError} if a marked loop is not of the form that is understood, or does not end.
 */
export function unrollLoops(source: string): string {
  const constants = new Map([...source.matchAll(CONSTANT)].map(([, name, value]) => [name, value]));
  let code = source;
  for (let loop = LOOP.exec(code); loop; loop = LOOP.exec(code)) {
    const [head, variable, number, constant] = loop;
    const count = number ?? constants.get(constant);
    if (count === undefined) {
      throw new SyntaxError(`Cannot unroll a shader's loop: got no constant ${constant}`);
    }
    const start = loop.index + head.length;
    const end = findClosing(code, start);
    const body = code.slice(start, end);
    const name = new RegExp(`\\b${variable}\\b`, "g");
    const copies = Array.from(
      { length: Number(count) },
      (_, i) => `{\n${body.replace(name, `${i}u`)}}\n`,
    );
    code = code.slice(0, loop.index) + copies.join("") + code.slice(end + 1);
  }
  if (/\/\/ unroll\b/.test(code)) {
    throw new SyntaxError(
      "Cannot unroll a shader's loop: got another form, need `for (var i = 0u; i < 8u; i++) { // unroll`",
    );
  }
  return code;
}

function redeclare(source: string, from: string, to: string): string {
  if (source.includes(from)) return source.replace(from, to);
  throw new SyntaxError(`Cannot take a shader's numbers by four: got no '${from}'`);
}

function removeFunction(code: string, head: string): string {
  const start = code.indexOf(head);
  if (start === -1) throw new SyntaxError(`Cannot choose a shader's function: got no '${head}'`);
  const end = findClosing(code, code.indexOf("{", start) + 1);
  return code.slice(0, start) + code.slice(end + 1);
}

/** The place of the brace that closes the block which `start` is in. */
export function findClosing(code: string, start: number): number {
  let depth = 1;
  for (let at = start; at < code.length; at++) {
    if (code[at] === "{") depth++;
    else if (code[at] === "}" && --depth === 0) return at;
  }
  throw new SyntaxError("Cannot expand a shader: got no closing brace");
}
