/** The floors of ARCHITECTURE: who may import whom, read from `deno info`. @module */
import assert from "node:assert/strict";
import { inspect, listFiles, ROOT, toPath } from "./files.ts";

/** Folders and files by floor: imports go to a lower one, or stay within their own entry. */
const FLOORS: readonly (readonly [prefix: string, floor: number])[] = [
  ["shaders/kernel_table.ts", 4],
  ["shaders/", 0],
  ["engine/reference/", 0],
  ["engine/cache_folder.ts", 0],
  ["engine/errors.ts", 0],
  ["engine/options.ts", 0],
  ["engine/sizes.ts", 0],
  ["engine/share.ts", 1],
  ["engine/files/", 1],
  ["engine/formats/", 2],
  ["engine/wgsl/", 2],
  ["engine/gpu/mod.ts", 9],
  ["engine/gpu/", 3],
  ["engine/data/", 4],
  ["engine/operations/", 5],
  ["engine/network/", 6],
  ["engine/onnx/", 7],
  ["engine/training/", 7],
  ["engine/rows/", 7],
  ["engine/tuning/", 8],
  ["engine/kernel/", 9],
  ["engine/store/", 10],
  ["engine/samples/", 11],
  ["engine/engine.ts", 12],
  ["engine/cleaning/", 13],
  ["mod.ts", 14],
  ["bench/", 15],
  ["cli/", 16],
];

/** What the command line shares with the engine: how files, options and drivers are handled, which nobody who imports the package calls. */
const SHARED: readonly string[] = [
  "engine/files/file.ts",
  "engine/files/folder.ts",
  "engine/files/lease.ts",
  "engine/formats/csv.ts",
  "engine/formats/json.ts",
  "engine/formats/picture.ts",
  "engine/tuning/prepare.ts",
  "engine/tuning/memory.ts",
  "engine/options.ts",
  "engine/share.ts",
];

/** File with the version, which the command line prints. */
const MANIFEST = "deno.json";

/** Reads what each file of the project imports, types included: files by their paths from the root, packages as `npm:name`. */
async function readImports(): Promise<Map<string, string[]>> {
  const imports = new Map<string, string[]>();
  for (
    const entry of [
      "mod.ts",
      "engine/gpu/mod.ts",
      "cli/main.ts",
      "bench/label_noise/judge.ts",
      "bench/label_noise/measure.ts",
      "bench/scaling.ts",
      "bench/sketch.ts",
    ]
  ) {
    if (!await exists(entry)) continue;
    for (const { specifier, dependencies = [] } of (await inspect(entry)).modules) {
      const file = toPath(specifier);
      const imported = dependencies.map(({ code, type }) => toPath((code ?? type!).specifier!));
      if (!isPackage(file)) imports.set(file, imported);
    }
  }
  return imports;
}

/** Whether a name is a package, or a module of Node.js that comes with Deno. */
function isPackage(name: string): boolean {
  return name.startsWith("npm:") || name.startsWith("node:");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(new URL(path, ROOT)).then(() => true, () => false);
}

/** Finds a file's entry in `FLOORS`; a file on no floor is above all of them. */
function findFloor(file: string): readonly [string, number] {
  return FLOORS.find(([prefix]) => file.startsWith(prefix)) ?? [file, Infinity];
}

const imports = await readImports();

/** Finds every import that `isWrong`, as `file -> imported`. */
function findImports(isWrong: (file: string, imported: string) => boolean): string[] {
  return [...imports].flatMap(([file, list]) =>
    list.filter((imported) => isWrong(file, imported)).map((imported) => `${file} -> ${imported}`)
  );
}

Deno.test("the whole project was read", () => {
  for (const file of ["mod.ts", "engine/errors.ts", "engine/engine.ts", "shaders/gram_tile.wgsl"]) {
    assert.ok(imports.has(file), file);
  }
  assert.ok(imports.get("engine/engine.ts")!.includes("engine/data/dataset.ts")); // a type
  assert.ok(imports.get("engine/network/network.ts")!.includes("npm:@tensorflow/tfjs-core"));
});

Deno.test("imports go to a lower floor, or stay in their own folder", () => {
  const wrong = findImports((file, imported) => {
    if (isPackage(imported) || imported === MANIFEST) return false;
    const [ownFolder, ownFloor] = findFloor(file);
    const [folder, floor] = findFloor(imported);
    return floor > ownFloor || (floor === ownFloor && folder !== ownFolder);
  });
  assert.deepEqual(wrong, []);
});

Deno.test("no file imports itself, by whatever way round", () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a circle: ${[...path, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const imported of imports.get(file) ?? []) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
});

Deno.test("the command line computes by the public face alone", () => {
  const wrong = findImports((file, imported) =>
    file.startsWith("cli/") &&
    !(imported === "mod.ts" || imported.startsWith("cli/") || isPackage(imported) ||
      imported === MANIFEST || SHARED.includes(imported)) &&
    // the self-test uses the suite's float64 twins on the user's adapter
    !(file.startsWith("cli/self_test/") && imported.startsWith("engine/reference/")) &&
    !(file.startsWith("cli/commands/bench") && imported.startsWith("bench/"))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("what the command line shares with the engine is in use, and not public", () => {
  for (const file of SHARED) {
    const users = findImports((user, imported) => imported === file && /^(cli\/|mod)/.test(user));
    assert.ok(users.length > 0, `the command line does not import ${file}`);
    assert.deepEqual(users.filter((user) => user.startsWith("mod.ts")), []);
  }
});

Deno.test("packages and shaders are known where they belong, and nowhere else", () => {
  const owners: readonly (readonly [imported: RegExp, owner: RegExp])[] = [
    [/^npm:(commander|@commander-js\/)/, /^cli\/(main\.ts$|commands\/)/],
    [
      /^npm:@tensorflow\//,
      /^(bench|engine\/(network|operations|training))\/|^engine\/rows\/projector\.ts$/,
    ],
    [/^npm:@jax-js\//, /^bench\/peers\/jax\.ts$/],
    [/^npm:wesl$/, /^engine\/wgsl\/(linking|reflection)\.ts$/],
    [/^shaders\/.*\.wgsl$/, /^shaders\/kernel_table\.ts$/],
    [/deno\.json$/, /^cli\/(main|checkpoint|experiments\/run_folder)\.ts$/],
  ];
  const wrong = findImports((file, imported) =>
    owners.some(([pattern, owner]) => pattern.test(imported) && !owner.test(file))
  );
  assert.deepEqual(wrong, []);
});

Deno.test("what opens a device for kernels of one's own loads neither TensorFlow.js nor our kernels", async () => {
  const { modules } = await inspect("engine/gpu/mod.ts");
  const loaded = modules.map(({ specifier }) => toPath(specifier));
  assert.ok(loaded.includes("engine/tuning/prepare.ts"));
  assert.deepEqual(loaded.filter((file) => /^(npm:@tensorflow|shaders\/)/.test(file)), []);
});

Deno.test("every file of the engine, of the benches and of the command line is reached, and every shader", async () => {
  const folders = ["engine/", "shaders/", ...await exists("cli/main.ts") ? ["cli/", "bench/"] : []];
  for (const folder of folders) {
    for await (const file of listFiles(folder)) {
      // skipped: the tests read more of the float64 twins than the self-test and the benches do
      if (file.startsWith("engine/reference/")) continue;
      assert.ok(imports.has(file), `nobody imports ${file}`);
    }
  }
});

Deno.test("no source file has more than 400 lines", async () => {
  for (const folder of ["engine/", "shaders/", "cli/", "bench/"]) {
    for await (const file of listFiles(folder)) {
      // written by a program
      if (file === "shaders/declarations.ts") continue;
      const lines = (await Deno.readTextFile(new URL(file, ROOT))).trimEnd().split("\n").length;
      assert.ok(lines <= 400, `${file} has ${lines} lines: cut it at an idea`);
    }
  }
});
