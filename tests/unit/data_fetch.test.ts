import assert from "node:assert/strict";
import { fetchDataset, fetchFiles } from "../../engine/data/fetch.ts";
import { openTempFolder } from "./data_fixtures.ts";

const CONTENTS = {
  first: new TextEncoder().encode("the first file"),
  second: new TextEncoder().encode("the second"),
};

async function describeFile(name: keyof typeof CONTENTS) {
  const digest = await crypto.subtle.digest("SHA-256", CONTENTS[name]);
  return { name, sizeBytes: CONTENTS[name].length, sha256: new Uint8Array(digest).toHex() };
}

const FILES = [await describeFile("first"), await describeFile("second")];

/** A mirror on this machine that answers with `respond`, and counts the paths asked for. */
function openMirror(respond: (name: keyof typeof CONTENTS) => Response) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    return respond(pathname.split("/").at(-1) as keyof typeof CONTENTS);
  });
  const url = `http://127.0.0.1:${server.addr.port}/files/`;
  return { url, asked, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A mirror that promises a whole file, sends part of it and hangs up. */
function openDroppingMirror() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(1024));
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${CONTENTS.first.length}\r\n\r\nthe f`;
    await connection.write(new TextEncoder().encode(answer));
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/`,
    async [Symbol.asyncDispose]() {
      await served;
      listener.close();
    },
  };
}

function listNames(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

Deno.test("files are downloaded, and progress counts up to the total", async () => {
  await using temp = await openTempFolder();
  await using mirror = openMirror((name) => new Response(CONTENTS[name]));
  const folder = `${temp.path}/new/folder`;
  const progress: [number, number][] = [];
  await fetchFiles(FILES, mirror.url, folder, (...counts) => progress.push(counts));
  assert.deepEqual(listNames(folder), ["first", "second"]);
  assert.deepEqual(await Deno.readFile(`${folder}/second`), CONTENTS.second);
  assert.deepEqual(mirror.asked, ["/files/first", "/files/second"]);
  assert.deepEqual(progress.at(-1), [24, 24]);
  assert.ok(progress.every(([done], i) => i === 0 || done >= progress[i - 1][0]));
});

Deno.test("the mirror may be written without the last slash", async () => {
  await using temp = await openTempFolder();
  await using mirror = openMirror((name) => new Response(CONTENTS[name]));
  await fetchFiles(FILES, mirror.url.slice(0, -1), temp.path);
  assert.deepEqual(mirror.asked, ["/files/first", "/files/second"]);
});

Deno.test("a file with the right checksum is kept, one with another is replaced", async () => {
  await using temp = await openTempFolder();
  await using mirror = openMirror((name) => new Response(CONTENTS[name]));
  await Deno.writeFile(`${temp.path}/first`, CONTENTS.first);
  await Deno.writeFile(`${temp.path}/second`, CONTENTS.first);
  await fetchFiles(FILES, mirror.url, temp.path);
  assert.deepEqual(mirror.asked, ["/files/second"]);
  assert.deepEqual(await Deno.readFile(`${temp.path}/second`), CONTENTS.second);
});

Deno.test("files that were downloaded before a failure are kept", async () => {
  await using temp = await openTempFolder();
  await using mirror = openMirror((name) =>
    name === "first" ? new Response(CONTENTS.first) : new Response("", { status: 503 })
  );
  await assert.rejects(fetchFiles(FILES, mirror.url, temp.path), { name: "FileError" });
  assert.deepEqual(listNames(temp.path), ["first"]);
});

const ANSWERS: [what: string, respond: () => Response, state: string][] = [
  [
    "HTTP 404",
    () => new Response("not here", { status: 404 }),
    "got HTTP status 404, need 200",
  ],
  [
    "other bytes of the same length",
    () => new Response("The first file"),
    "got SHA-256 a8267625b41be5602fc65db99a64b8fbb3985b79eab15bae1034878883dfda29, need " +
    FILES[0].sha256,
  ],
  ["a longer body", () => new Response("the first file!"), "got more than 14 bytes, need 14 bytes"],
  ["a shorter body", () => new Response("the first"), "got 9 bytes, need 14 bytes"],
];

for (const [what, respond, state] of ANSWERS) {
  Deno.test(`an answer with ${what} is a FileError and leaves nothing behind`, async () => {
    await using temp = await openTempFolder();
    await using mirror = openMirror(respond);
    const url = `${mirror.url}first`;
    await assert.rejects(fetchFiles(FILES, mirror.url, temp.path), {
      name: "FileError",
      path: url,
      message: `Cannot download ${url}: ${state}`,
    });
    assert.deepEqual(listNames(temp.path), []);
  });
}

Deno.test("a connection that breaks in the middle is a FileError and leaves nothing", async () => {
  await using temp = await openTempFolder();
  await using mirror = openDroppingMirror();
  await assert.rejects(fetchFiles(FILES, mirror.url, temp.path), {
    name: "FileError",
    message:
      /^Cannot download .*first: got a broken connection \(.*\) after 5 bytes, need 14 bytes$/,
  });
  assert.deepEqual(listNames(temp.path), []);
});

Deno.test("a mirror that nobody answers for is a FileError", async () => {
  await using temp = await openTempFolder();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  await assert.rejects(fetchDataset("mnist", { mirror: url, folder: temp.path }), {
    name: "FileError",
    path: `${url}/train-images-idx3-ubyte.gz`,
    message: /: got no connection \(.*\), need network access or another mirror$/,
  });
});

Deno.test("a folder that cannot be made is a FileError", async () => {
  await using temp = await openTempFolder();
  const folder = `${temp.path}/file`;
  await Deno.writeTextFile(folder, "");
  await assert.rejects(fetchFiles([], "http://127.0.0.1", folder), {
    name: "FileError",
    path: folder,
  });
});

const DATA = Deno.env.get("LPNTK_DATA");
if (!DATA) console.log("LPNTK_DATA is not set: the test of MNIST's checksums does not run");

Deno.test({
  name: "the real MNIST has the checksums that a download must have, so nothing is fetched",
  ignore: !DATA,
  fn: async () => {
    await using mirror = openMirror(() => new Response("", { status: 404 }));
    const folder = `${DATA}/mnist`;
    assert.equal(await fetchDataset("mnist", { folder, mirror: mirror.url }), folder);
    assert.deepEqual(mirror.asked, []);
  },
});
