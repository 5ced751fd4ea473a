/** The package as another Deno project uses it: by the path of its module, sharing only the disk. @module */
import assert from "node:assert/strict";
import { relative } from "node:path";
import { openTempFolder } from "../temp_folder.ts";
import { expectSuccess, prepareDeno, ROOT, succeed } from "./process.ts";

/** Name under which README's example imports the package. */
const SPECIFIER = `"lpntk"`;

let trained: Promise<Uint8Array> | undefined;

/** Trains the weights that README's example loads. */
async function train(): Promise<Uint8Array> {
  await using folder = await openTempFolder();
  const out = `${folder.path}/run`;
  await succeed(
    `train --model lenet5 --data digits --train-size 200 --epochs 1 --out ${out}`.split(" "),
  );
  return await Deno.readFile(`${out}/weights.safetensors`);
}

/** Opens another project, with these weights. */
async function openProject() {
  const folder = await openTempFolder();
  const { path } = folder;
  await Deno.mkdir(`${path}/w`);
  await Deno.writeFile(`${path}/w/weights.safetensors`, await (trained ??= train()));
  // the real path: on some systems the folder for temporary files is a link, past which `..` leads elsewhere
  const module = relative(await Deno.realPath(path), `${ROOT}/mod.ts`).replaceAll("\\", "/");
  return { ...folder, module };
}

async function readExample(): Promise<string> {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  const example = blocks.find((code) => code.includes("openEngine"));
  if (!example?.includes(SPECIFIER)) throw new Error("README.md has no example of the package");
  return example;
}

/** Runs the example in the other project; it has to end by itself and to print something. */
async function runExample(project: string, configuration: unknown, code: string): Promise<void> {
  await Deno.writeTextFile(`${project}/deno.json`, JSON.stringify(configuration));
  await Deno.writeTextFile(`${project}/example.ts`, code);
  const command = prepareDeno(["run", "--quiet", "--check", "-A", "example.ts"], { cwd: project });
  assert.match(await expectSuccess(command), /\S/);
}

Deno.test("README's example checks and runs in another project that imports the module by its relative path", async () => {
  await using project = await openProject();
  const code = (await readExample()).replace(SPECIFIER, JSON.stringify(project.module));
  await runExample(project.path, {}, code);
});

Deno.test("README's example runs as it stands in another project whose import map names the package", async () => {
  await using project = await openProject();
  await runExample(project.path, { imports: { lpntk: project.module } }, await readExample());
});

Deno.test("the command line runs from another project's folder, with paths relative to it", async () => {
  await using project = await openProject();
  const { path } = project;
  await Deno.writeTextFile(`${path}/deno.json`, "{}");
  const call =
    "gram --model lenet5 --weights w/weights.safetensors --data digits --train-size 200 --out K.npy";
  assert.match(await succeed(call.split(" "), { cwd: path }), /^wrote K\.npy$/m);
  assert((await Deno.stat(`${path}/K.npy`)).isFile);
});
