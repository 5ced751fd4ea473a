/**
 * Declarations of shaders: their parameters and buffers. Run as a program it prints `shaders/declarations.ts`:
 *
 *     deno run -A tests/structure/declarations.ts > shaders/declarations.ts
 *
 * @module
 */
import assert from "node:assert/strict";
import { Modules } from "../../engine/wgsl/linking.ts";

const SHADERS = new URL("../../shaders/", import.meta.url);

/** A buffer of group 0, or the uniform parameters, which come first. */
export interface Binding {
  readonly name: string;
  /** Text within `var<...>`. */
  readonly kind: string;
}

/** Parameters and buffers of a shader. */
export interface Declaration {
  readonly params: readonly (readonly [name: string, type: string])[];
  /** Bindings by their numbers. */
  readonly bindings: readonly Binding[];
}

/** Reads the shaders of a folder by their stems. */
export async function readShaders(folder = ""): Promise<Record<string, string>> {
  const shaders: Record<string, string> = {};
  const entries = await Array.fromAsync(Deno.readDir(new URL(folder, SHADERS)));
  for (const { name } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!name.endsWith(".wgsl")) continue;
    shaders[name.replace(".wgsl", "")] = await Deno.readTextFile(
      new URL(folder + name, SHADERS),
    );
  }
  return shaders;
}

/** Reads the declarations of a linked shader: `struct Params` of scalars, and variables of group 0 that are numbered without a gap. */
export function readDeclaration(tokens: readonly string[]): Declaration {
  const params: [string, string][] = [];
  const struct = tokens.findIndex((token, at) => token === "struct" && tokens[at + 1] === "Params");
  for (let at = struct + 3; tokens[at] !== "}"; at += tokens[at + 3] === "," ? 4 : 3) {
    const [name, colon, type, end] = tokens.slice(at, at + 4);
    assert.ok(colon === ":" && (end === "," || end === "}"), `Params.${name}`);
    assert.match(type, /^[uif]32$/);
    params.push([name, type]);
  }
  const bindings: Binding[] = [];
  tokens.forEach((token, at) => {
    if (token !== "@" || tokens[at + 1] !== "group") return;
    const [open, group, close, ...rest] = tokens.slice(at + 2, tokens.indexOf(";", at));
    assert.deepEqual([open, group, close], ["(", "0", ")"]);
    const [, binding, , number, , keyword, less] = rest;
    assert.deepEqual([binding, keyword, less], ["binding", "var", "<"]);
    const end = rest.indexOf(">");
    assert.ok(!bindings[Number(number)], `binding ${number} twice`);
    bindings[Number(number)] = { name: rest[end + 1], kind: rest.slice(7, end).join("") };
  });
  assert.deepEqual(bindings[0], { name: "params", kind: "uniform" });
  assert.ok(Array.from(bindings).every(Boolean), "a binding is missing");
  return { params, bindings };
}

/** Writes the file of all declarations. */
export async function writeDeclarations(): Promise<string> {
  const shared = Object.fromEntries(
    Object.entries(await readShaders("shared/")).map((
      [stem, code],
    ) => [`shared/${stem}.wgsl`, code]),
  );
  const entries = Object.entries(await readShaders()).map(([stem, source]) => {
    const { tokens } = new Modules(stem, source, shared).link(NO_CONDITIONS);
    const { params, bindings } = readDeclaration(tokens);
    const buffers = bindings.slice(1).map(({ name, kind }) => {
      assert.match(kind, /^storage,(read|read_write)$/);
      return [name, kind.split(",")[1]] as const;
    });
    return `  ${stem}: {\n${writeObject("params", params)}${writeObject("buffers", buffers)}  },\n`;
  });
  return `${HEADER}export const declarations = {\n${entries.join("")}} as const;\n`;
}

/** Conditions, none of which holds, whatever their names. */
const NO_CONDITIONS = new Proxy<Record<string, boolean>>({}, { get: () => false, has: () => true });

const HEADER = `/**
 * What every shader declares: its parameters and its buffers, in their order. It is written by a program
 * (\`deno run -A tests/structure/declarations.ts > shaders/declarations.ts\`), and a test holds it against the shaders.
 *
 * @module
 */

/** Parameters and buffers by the kernel's stem. */
`;

/** Writes a property that is an object, on one line if it fits. */
function writeObject(name: string, entries: readonly (readonly [string, string])[]): string {
  const properties = entries.map(([key, value]) => `${key}: "${value}"`);
  const line = `    ${name}: { ${properties.join(", ")} },\n`;
  if (line.length <= 101) return line;
  return `    ${name}: {\n${properties.map((property) => `      ${property},\n`).join("")}    },\n`;
}

if (import.meta.main) await Deno.stdout.write(new TextEncoder().encode(await writeDeclarations()));
