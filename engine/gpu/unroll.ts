/**
 * Writing out loops of a shader whose register tile is stated once.
 *
 * Some compilers (lavapipe's) keep an array in registers only where every index is a constant, and a subgroup broadcast must name a
 * constant lane; so the innermost loops are written out before the shader is compiled. Nothing else of WGSL is understood.
 *
 * @module
 */

/** A loop to be written out: `for (var i = 0u; i < 8u; i++) { // unroll`. */
const LOOP = /for \(var (\w+) = 0u; \1 < (\d+)u; \1\+\+\) \{ \/\/ unroll\n/;

/**
 * Replaces each loop marked `// unroll` by as many copies of its body, its variable by 0u, 1u, ...; outer loops first.
 *
 * @throws {SyntaxError} if a marked loop is not of the form that is understood, or does not end.
 */
export function unrollLoops(source: string): string {
  let code = source;
  for (let loop = LOOP.exec(code); loop; loop = LOOP.exec(code)) {
    const [head, variable, count] = loop;
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

/** The place of the brace that closes the one before `start`. */
function findClosing(code: string, start: number): number {
  let depth = 1;
  for (let at = start; at < code.length; at++) {
    if (code[at] === "{") depth++;
    else if (code[at] === "}" && --depth === 0) return at;
  }
  throw new SyntaxError("Cannot unroll a shader's loop: got no closing brace");
}
