import assert from "node:assert/strict";
import { exists, readBytes, writeWhole } from "../../../engine/files/file.ts";
import { openTempFolder } from "../../temp_folder.ts";

Deno.test("a file is written whole, over what was there, in a folder made for it", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/new/a`;
  await writeWhole(path, Uint8Array.of(1, 2, 3));
  await writeWhole(path, Uint8Array.of(4));
  assert.deepEqual(await readBytes(path, "a file"), Uint8Array.of(4));
  assert.deepEqual(Array.from(Deno.readDirSync(`${folder.path}/new`), ({ name }) => name), ["a"]);
});

Deno.test("a file that cannot be written is a FileError and leaves nothing behind", async () => {
  await using folder = await openTempFolder();
  const path = `${folder.path}/a`;
  await Deno.mkdir(`${path}/full`, { recursive: true });
  await assert.rejects(writeWhole(path, Uint8Array.of(1)), {
    name: "FileError",
    path,
    message: /^Cannot write .*\/a: /,
  });
  assert.deepEqual(Array.from(Deno.readDirSync(folder.path), ({ name }) => name), ["a"]);
});

Deno.test("paths exist or not, also through a file", async () => {
  await using folder = await openTempFolder();
  await writeWhole(`${folder.path}/a`, new Uint8Array());
  assert.equal(await exists(folder.path), true);
  assert.equal(await exists(`${folder.path}/a`), true);
  assert.equal(await exists(`${folder.path}/b`), false);
  assert.equal(await exists(`${folder.path}/a/b`), false);
});
