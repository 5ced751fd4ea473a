/** Each shader against the kernel table, its header and the device's compiler. @module */
import assert from "node:assert/strict";
import { type Access, isCopyable } from "../../engine/gpu/kernel.ts";
import { tokenize } from "../../engine/wgsl/tokens.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import type { OperandStorage } from "../../engine/gpu/panels.ts";
import { testGpu } from "../engine/gpu/open.ts";
import { readDeclaration, readShaders, writeDeclarations } from "./declarations.ts";

const ROOT = new URL("../../", import.meta.url);

/** Number of storage buffers that every WebGPU device can bind to one shader. */
const MAX_BUFFERS = 8;

/** Largest number of invocations of a workgroup, and of bytes that it shares, on every WebGPU device. */
const MAX_INVOCATIONS = 256;

function withoutComments(wgsl: string): string {
  return wgsl.replace(/\/\/.*$/gm, "");
}

/** Reads the comment at the top of a shader as one line. */
function readHeader(wgsl: string): string {
  return wgsl.split("\n\n", 1)[0].replace(/^\/\/ ?/gm, "").replace(/\s+/g, " ");
}

const shaders = await readShaders();
const shared = await readShaders("shared/");

Deno.test("every shader is in the kernel table by its stem", () => {
  assert.deepEqual(Object.keys(kernels).sort(), Object.keys(shaders).sort());
});

Deno.test("the declarations are what the shaders declare", async () => {
  const written = await Deno.readTextFile(new URL("shaders/declarations.ts", ROOT));
  assert.equal(written, await writeDeclarations());
});

Deno.test("a shader whose parameters or buffers are not those of a kernel is refused", () => {
  const code = `struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
`;
  assert.deepEqual(readDeclaration(tokenize(code)), {
    params: [["count", "u32"]],
    bindings: [{ name: "params", kind: "uniform" }, { name: "x", kind: "storage,read_write" }],
  });
  for (
    const [from, to] of [
      ["u32", "vec4u"], // no scalar
      ["group(0) @binding(1)", "group(1) @binding(1)"],
      ["binding(1)", "binding(0)"],
      ["binding(1)", "binding(2)"],
      ["> params:", "> values:"],
      ["<uniform>", "<storage, read>"],
    ]
  ) assert.throws(() => readDeclaration(tokenize(code.replace(from, to))), to);
});

Deno.test("every shared file says what it is for, and shaders import from it", () => {
  const importers = Object.values({ ...shaders, ...shared });
  for (const [stem, code] of Object.entries(shared)) {
    assert.match(code, /^\/\/ [A-Z]/, stem);
    assert.ok(importers.some((other) => other.includes(`import package::shared::${stem}::`)), stem);
  }
});

for (const [stem, kernel] of Object.entries(kernels)) {
  const wgsl = withoutComments(kernel.source);

  Deno.test(`${stem}: the table names its file`, () => {
    assert.equal(kernel.name, stem);
    assert.equal(kernel.source, shaders[stem]);
  });

  Deno.test(`${stem}: one entry point, within what every device can run`, () => {
    const entries = [...wgsl.matchAll(/@compute\s*@workgroup_size\(([^)]*)\)\s*fn (\w+)/g)];
    assert.deepEqual(entries.map(([, , name]) => name), ["main"]);
    const invocations = entries[0][1].split(",").map(Number).reduce((a, b) => a * b);
    assert.ok(invocations >= 1 && invocations <= MAX_INVOCATIONS, `${invocations} invocations`);
    assert.ok(kernel.buffers.length <= MAX_BUFFERS, `${kernel.buffers.length} buffers`);
  });

  Deno.test(`${stem}: the header says what is dispatched, and names a float64 twin that exists`, async () => {
    const header = readHeader(kernel.source);
    for (const part of ["One ", "Dispatch: ", "Layout: ", "Float64 twin: "]) {
      assert.ok(header.includes(part), `no '${part.trim()}' in the header`);
    }
    const [, path, names] = header.match(/Float64 twin: (\S+\.ts), (.*)\.$/)!;
    const twins = await import(new URL(path, ROOT).href);
    const named = [...names.replace(/\(.*\)/, "").matchAll(/\b[a-z]+[A-Z]\w*/g)];
    assert.ok(named.length > 0, `no function in '${names}'`);
    for (const [name] of named) assert.equal(typeof twins[name], "function", `${path}: ${name}`);
  });

  testGpu(`${stem}: compiles without a message`, async (gpu) => {
    const choose = (applies: (access: Access) => boolean): OperandStorage[] =>
      kernel.buffers.some(([, access]) => applies(access)) ? ["buffer", "texture"] : ["buffer"];
    const places = choose((access) => access === "panels").flatMap((panels) =>
      choose(isCopyable).flatMap((operands) =>
        [false, gpu.subgroups].map((subgroups) => ({ panels, operands, subgroups }))
      )
    );
    for (const place of places) {
      const code = gpu.adaptShader(kernel.expand(place));
      const module = gpu.device.createShaderModule({ label: stem, code });
      const { messages } = await module.getCompilationInfo();
      assert.deepEqual(messages.map(({ message, lineNum }) => `${lineNum}: ${message}`), []);
      gpu.device.pushErrorScope("validation");
      kernel.createPipeline(gpu.device, place, (code) => gpu.adaptShader(code));
      assert.equal((await gpu.device.popErrorScope())?.message, undefined);
    }
  });
}
