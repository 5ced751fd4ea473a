/** The package as another Deno project uses it: by the path of its module, or by the address that it was published at. @module */
import assert from "node:assert/strict";
import { relative } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { listPublished } from "../structure/files.ts";
import { openTempFolder } from "../temp_folder.ts";
import { expectSuccess, prepareDeno, ROOT, succeed } from "./process.ts";

/** Names under which README's examples import the package, and a part of it. */
const SPECIFIER = `"lpntk"`;
const GPU_SPECIFIER = `"lpntk/gpu"`;

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

/** Reads README's example of an import. */
async function readExample(specifier = SPECIFIER): Promise<string> {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  const example = blocks.find((code) => code.includes(`from ${specifier}`));
  if (!example) throw new Error(`README.md has no example of ${specifier}`);
  return example;
}

/** Runs the example in the other project; it has to end by itself and to print something, which is returned. */
async function runExample(project: string, configuration: unknown, code: string): Promise<string> {
  await Deno.writeTextFile(`${project}/deno.json`, JSON.stringify(configuration));
  await Deno.writeTextFile(`${project}/example.ts`, code);
  const command = prepareDeno(["run", "--quiet", "--check", "-A", "example.ts"], { cwd: project });
  const printed = await expectSuccess(command);
  assert.match(printed, /\S/);
  return printed;
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

Deno.test("README's kernel runs as it stands in another project whose import map names lpntk/gpu", async () => {
  await using folder = await openTempFolder();
  const imports = { "lpntk/gpu": `${ROOT}/engine/gpu/mod.ts` };
  const printed = await runExample(folder.path, { imports }, await readExample(GPU_SPECIFIER));
  assert.ok(printed.startsWith(`${Math.fround(3 * Math.fround(1e-9))}\n`), printed);
  assert.match(printed, /median: \d/);
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

/** The files that would be published, at an address, and nothing beside them. */
async function publish() {
  const files = new Set(await listPublished());
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    const path = new URL(url).pathname.slice(1);
    if (!files.has(path)) return new Response(null, { status: 404 });
    const type = path.endsWith(".ts") ? "application/typescript" : "text/plain";
    return new Response(await Deno.readFile(`${ROOT}/${path}`), {
      headers: { "content-type": path.endsWith(".json") ? "application/json" : type },
    });
  });
  const address = `http://127.0.0.1:${server.addr.port}`;
  return { address, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Uses the library by whatever name the project has for it. */
const SCRIPT = `
  import { computeGram, drawDigits, mlp, openEngine } from "lpntk";
  using engine = await openEngine();
  using network = engine.network(mlp, { seed: 0, classes: 10 });
  using rows = await engine.project(network, drawDigits("train", { size: 20 }));
  console.log((await computeGram(rows)).length);
`;

/** Loads the benches, which the command line does when it is asked for them, and starts a peer. */
const BENCHES = `
  await import(Deno.args[0] + "/bench/main.ts");
  const { PeerProcess } = await import(Deno.args[0] + "/bench/peers/process.ts");
  console.log(await PeerProcess.start("blas.py", []));
`;

Deno.test("library and command line run from an address that has what is published and nothing else", async () => {
  await using published = await publish();
  await using folder = await openTempFolder();
  const { path } = folder;
  const imports = { lpntk: `${published.address}/mod.ts` };
  await Deno.writeTextFile(`${path}/deno.json`, JSON.stringify({ imports }));
  await Deno.writeTextFile(`${path}/script.ts`, SCRIPT);
  await Deno.writeTextFile(`${path}/benches.ts`, BENCHES);
  // packages as they were fetched before, and no trace of an address that is soon gone
  const { denoDir, npmCache } = JSON.parse(await expectSuccess(prepareDeno(["info", "--json"])));
  await Deno.mkdir(`${path}/cache`);
  await Deno.symlink(npmCache, npmCache.replace(denoDir, `${path}/cache`));
  const env = { DENO_DIR: `${path}/cache` };
  const run = (...args: string[]) =>
    expectSuccess(prepareDeno(["run", "--quiet", "-A", ...args], { cwd: path, env }));
  assert.equal(await run("script.ts"), "400\n");
  const program = `${published.address}/cli/main.ts`;
  assert.equal(await run(program, "--version"), `${manifest.version}\n`);
  assert.match(await run("benches.ts", published.address), /^blas\.py is not published; /);
});
