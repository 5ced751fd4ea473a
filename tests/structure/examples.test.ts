/** The examples in documents and docstrings: they are checked and run, each as it stands. @module */
import assert from "node:assert/strict";
import { inspect, ROOT, toPath } from "./files.ts";

/** Sources of examples, and how many each has. */
async function findExamples(): Promise<Map<string, number>> {
  const faces = await Promise.all(["mod.ts", "engine/gpu/mod.ts"].map(inspect));
  const files = faces.flatMap(({ modules }) => modules)
    .map(({ specifier }) => toPath(specifier))
    .filter((path) => path.endsWith(".ts"));
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) files.push(`docs/${name}`);
  const examples = new Map<string, number>();
  for (const file of files) {
    const text = await Deno.readTextFile(new URL(file, ROOT));
    const { length } = [...text.matchAll(/^(?: *\* )?```ts\b/gm)];
    if (length > 0) examples.set(file, length);
  }
  return examples;
}

Deno.test("every example of the documents and of the library's docstrings checks and runs", async () => {
  const examples = await findExamples();
  assert.ok(examples.has("mod.ts") && examples.has("engine/gpu/mod.ts"));
  assert.ok(examples.has("docs/networks.md"));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "--check", "--doc", "-A", ...examples.keys()],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout);
  assert.equal(code, 0, said + new TextDecoder().decode(stderr));
  const count = examples.values().reduce((sum, own) => sum + own, 0);
  assert.match(said, RegExp(`^ok \\| ${count} passed .*\\| 0 failed`, "m"));
});

Deno.test("the front page has two examples, which run in projects of their own", async () => {
  const text = await Deno.readTextFile(new URL("README.md", ROOT));
  assert.equal([...text.matchAll(/^```ts\b/gm)].length, 2); // tests/cli/package.test.ts runs them
});
