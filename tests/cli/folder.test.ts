/** Paths in messages: relative ones become absolute. @module */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { nameWhole } from "../../cli/folder.ts";

Deno.test("a relative path is said as an absolute one where the message names it first", () => {
  const K = resolve("a/K.npy");
  const cases: [message: string, path: string, expected: string][] = [
    ["Cannot read a/K.npy: got no file", "a/K.npy", `Cannot read ${K}: got no file`],
    ["Cannot read ./a/K.npy: got none", "./a/K.npy", `Cannot read ${K}: got none`],
    ["got 'a/K.npy', need a/K.npy", "a/K.npy", `got '${K}', need a/K.npy`],
    ["Cannot read a: got a folder", "b", "Cannot read a: got a folder"],
    ["Cannot read ba/K.npy.old: got none", "a/K.npy", "Cannot read ba/K.npy.old: got none"],
    ["Cannot read /a/K.npy: got none", "/a/K.npy", "Cannot read /a/K.npy: got none"],
    ["Cannot download http://a/b: none", "http://a/b", "Cannot download http://a/b: none"],
    ["Cannot write : got none", "", "Cannot write : got none"],
    ["Cannot write $&: got none", "$&", `Cannot write ${resolve("$&")}: got none`],
  ];
  for (const [message, path, expected] of cases) {
    assert.equal(nameWhole(message, path), expected);
  }
});
