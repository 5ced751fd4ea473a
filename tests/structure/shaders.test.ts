/** Each shader against the kernel table, its header and the device's compiler. @module */
import assert from "node:assert/strict";
import { type Access, isStaged } from "../../engine/gpu/kernel.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import type { Operands } from "../../engine/gpu/panels.ts";
import { testGpu } from "../gpu/open.ts";

const ROOT = new URL("../../", import.meta.url);

/** Storage buffers that every WebGPU device can bind to one shader. */
const MAX_BUFFERS = 8;

/** Invocations of a workgroup, and bytes that it may share, on every WebGPU device. */
const MAX_INVOCATIONS = 256;

/** A declaration with its place. */
interface Binding {
  readonly group: number;
  readonly binding: number;
  /** What stands in `var<...>`. */
  readonly kind: string;
  readonly name: string;
}

function withoutComments(wgsl: string): string {
  return wgsl.replace(/\/\/.*$/gm, "");
}

function parseParams(wgsl: string): [string, string][] {
  const body = wgsl.match(/struct Params \{([^}]*)\}/)![1];
  return [...body.matchAll(/(\w+)\s*:\s*(\w+)/g)].map(([, name, type]) => [name, type]);
}

function parseBindings(wgsl: string): Binding[] {
  const pattern = /@group\((\d+)\)\s*@binding\((\d+)\)\s*var<([^>]*)>\s*(\w+)\s*:/g;
  return [...wgsl.matchAll(pattern)].map(([, group, binding, space, name]) => ({
    group: Number(group),
    binding: Number(binding),
    kind: space.replace(/\s/g, ""),
    name,
  }));
}

/** The comment at the top of a shader as one line. */
function readHeader(wgsl: string): string {
  return wgsl.split("\n\n", 1)[0].replace(/^\/\/ ?/gm, "").replace(/\s+/g, " ");
}

Deno.test("every shader is in the kernel table by its stem", async () => {
  const stems: string[] = [];
  for await (const { name } of Deno.readDir(new URL("shaders/", ROOT))) {
    if (name === "kernel_table.ts") continue;
    assert.match(name, /^[a-z_]+\.wgsl$/);
    stems.push(name.replace(".wgsl", ""));
  }
  assert.deepEqual(Object.keys(kernels).sort(), stems.sort());
});

for (const [stem, kernel] of Object.entries(kernels)) {
  const wgsl = withoutComments(kernel.source);

  Deno.test(`${stem}: the table names its file, parameters and buffers`, async () => {
    assert.equal(kernel.name, stem);
    const path = new URL(`shaders/${stem}.wgsl`, ROOT);
    assert.equal(kernel.source, await Deno.readTextFile(path));
    assert.deepEqual(parseParams(wgsl), kernel.params.map(([name, type]) => [name, type]));
    const expected: Binding[] = [
      { group: 0, binding: 0, kind: "uniform", name: "params" },
      ...kernel.buffers.map(([name, access], index) => ({
        group: 0,
        binding: index + 1,
        kind: `storage,${access === "read_write" ? access : "read"}`,
        name,
      })),
    ];
    assert.deepEqual(parseBindings(wgsl), expected);
    assert.equal(parseBindings(wgsl).length, [...wgsl.matchAll(/@binding/g)].length);
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
    const choose = (applies: (access: Access) => boolean): Operands[] =>
      kernel.buffers.some(([, access]) => applies(access)) ? ["buffer", "texture"] : ["buffer"];
    const places = choose((access) => access === "panels").flatMap((panels) =>
      choose(isStaged).flatMap((staged) =>
        [false, gpu.subgroups].map((subgroups) => ({ panels, staged, subgroups }))
      )
    );
    for (const place of places) {
      const code = kernel.expand(place);
      const module = gpu.device.createShaderModule({ label: stem, code });
      const { messages } = await module.getCompilationInfo();
      assert.deepEqual(messages.map(({ message, lineNum }) => `${lineNum}: ${message}`), []);
      gpu.device.pushErrorScope("validation");
      kernel.createPipeline(gpu.device, place);
      assert.equal((await gpu.device.popErrorScope())?.message, undefined);
    }
  });
}
