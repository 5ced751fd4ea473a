/** The package: what is in it, and that each version stands in one way. @module */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { inspect, listFiles, listPublished, ROOT, toPath } from "./files.ts";

Deno.test("the package has what its exports import, the licence and the front page", async () => {
  const needed = new Set(["deno.json", "LICENSE", "README.md"]);
  for (const entry of Object.values(manifest.exports)) {
    for (const { specifier } of (await inspect(entry)).modules) {
      const path = toPath(specifier);
      if (!/^(npm|node):/.test(path)) needed.add(path);
    }
  }
  assert.ok(needed.has("shaders/gram_tile.wgsl") && needed.has("bench/main.ts"));
  assert.deepEqual(await listPublished(), [...needed].sort());
});

Deno.test("the version is the same wherever it stands", async () => {
  const citation = await Deno.readTextFile(new URL("CITATION.cff", ROOT));
  assert.equal(/^version: (.*)$/m.exec(citation)?.[1], manifest.version);
});

Deno.test("each package has one version, in the sources alone or in deno.json alone, and each of deno.json's is used", async () => {
  const sources: string[] = [];
  for (const folder of ["bench/", "cli/", "engine/", "shaders/", "tests/"]) {
    for await (const file of listFiles(folder)) {
      sources.push(await Deno.readTextFile(new URL(file, ROOT)));
    }
  }
  const text = sources.join("\n");
  const versions = new Map<string, Set<string>>();
  for (const [, name, version] of text.matchAll(/"npm:((?:@[^/"]+\/)?[^@/"]+)@(\d[^/"]*)/g)) {
    versions.set(name, (versions.get(name) ?? new Set()).add(version));
  }
  assert.ok(versions.has("zod") && versions.has("@tensorflow/tfjs-core"));
  for (const [name, found] of versions) assert.equal(found.size, 1, `${name}: ${[...found]}`);

  const { lpntk: _, "lpntk/gpu": __, ...packages } = manifest.imports;
  const { types } = manifest.compilerOptions;
  for (const [name, specifier] of Object.entries(packages)) {
    assert.match(specifier, RegExp(`^npm:${RegExp.escape(name)}@\\d[^/]*$`));
    assert.ok(!versions.has(name), `${name} has a version in the sources too`);
    const isImported = RegExp(`from "${RegExp.escape(name)}[/"]`).test(text);
    assert.ok(isImported || types.includes(name), `nothing imports ${name}`);
  }
});
