/** What the engine says is in the library's words: the command line adds which of its options mends it. @module */
import assert from "node:assert/strict";
import { listFiles, ROOT } from "./files.ts";

/** Comments, which are passed over, and texts; what stands in a template is part of it. */
const TEXTS = /\/\*[^]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[^])*`/g;

/** The texts of a source that name an option or a command of the command line. */
function findCommandLine(source: string, commands: readonly string[]): string[] {
  const named = RegExp(`--[a-z]|\\blpntk (${commands.join("|")})\\b`);
  return [...source.matchAll(TEXTS)].map(([text]) => text)
    .filter((text) => !text.startsWith("/") && named.test(text));
}

Deno.test("an option and a command are found in every kind of text, and not in comments", () => {
  const source = [
    "// --repair",
    "/** lpntk gram */ let i = 1; i--; // it's --full",
    'fail("https://a.b --repair");',
    "fail('run lpntk gram');",
    "fail(`got ${i}, need lpntk",
    " gram --full`);",
    "fail(`what lpntk grammar`, -1 - -1);",
  ].join("\n");
  assert.deepEqual(findCommandLine(source, ["gram"]), [
    '"https://a.b --repair"',
    "'run lpntk gram'",
    "`got ${i}, need lpntk\n gram --full`",
  ]);
});

Deno.test("no text of the engine names an option or a command", async () => {
  const commands: string[] = [];
  for await (const file of listFiles("cli/commands/")) commands.push(file.match(/(\w+)\.ts$/)![1]);
  assert.ok(commands.includes("gram"));
  const wrong: string[] = [];
  for await (const file of listFiles("engine/")) {
    const source = await Deno.readTextFile(new URL(file, ROOT));
    wrong.push(...findCommandLine(source, commands).map((text) => `${file}: ${text}`));
  }
  assert.deepEqual(wrong, []);
});
