import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fetchDataset, fetchFiles, type RemoteFile } from "../../../engine/data/fetch.ts";
import { openTempFolder } from "../../temp_folder.ts";

const CONTENTS = {
  first: new TextEncoder().encode("the first file"),
  second: new TextEncoder().encode("the second"),
};

function describeFile(
  name: keyof typeof CONTENTS,
  algorithm: RemoteFile["checksum"]["algorithm"],
): RemoteFile {
  const digest = createHash(algorithm).update(CONTENTS[name]).digest("hex");
  return { name, sizeBytes: CONTENTS[name].length, checksum: { algorithm, digest } };
}

const FILES = [describeFile("first", "sha256"), describeFile("second", "md5")];

/** Opens a mirror on this machine that answers with `respond`, and counts the requested paths. */
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

/** Request of a connection to a dropping mirror, and what it got before the mirror hung up. */
interface Connection {
  /** First byte of the requested range; 0 without a range. */
  readonly from: number;
}

/**
 * Opens a mirror that promises the rest of `content`, sends `step` bytes of it and hangs up, again and again.
 *
 * @param honoursRange whether it begins at the requested range, or always anew
 */
function openDroppingMirror(
  content: Uint8Array,
  { step, honoursRange }: { step: number; honoursRange: boolean },
) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Connection[] = [];
  const served = (async () => {
    for await (const connection of listener) {
      const request = new Uint8Array(4096);
      const length = await connection.read(request) ?? 0;
      const asked = new TextDecoder().decode(request.subarray(0, length));
      const range = /^range: bytes=(\d+)-/im.exec(asked)?.[1];
      connections.push({ from: Number(range ?? 0) });
      const from = honoursRange ? Number(range ?? 0) : 0;
      const head = from > 0
        ? `206 Partial Content\r\nContent-Range: bytes ${from}-${
          content.length - 1
        }/${content.length}`
        : "200 OK";
      const promised = content.length - from;
      await connection.write(
        new TextEncoder().encode(`HTTP/1.1 ${head}\r\nContent-Length: ${promised}\r\n\r\n`),
      );
      await connection.write(content.subarray(from, from + step));
      connection.close();
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`,
    connections,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
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
  await fetchFiles(FILES, mirror.url, folder, {
    onProgress: (...counts) => progress.push(counts),
  });
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
    FILES[0].checksum.digest,
  ],
  ["a longer body", () => new Response("the first file!"), "got more than 14 bytes, need 14 bytes"],
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

Deno.test("where a connection breaks, another goes on from there", async () => {
  await using temp = await openTempFolder();
  await using mirror = openDroppingMirror(CONTENTS.first, { step: 5, honoursRange: true });
  const progress: number[] = [];
  await fetchFiles([FILES[0]], mirror.url, temp.path, {
    onProgress: (done) => progress.push(done),
  });
  assert.deepEqual(await Deno.readFile(`${temp.path}/first`), CONTENTS.first);
  assert.deepEqual(listNames(temp.path), ["first"]);
  assert.deepEqual(mirror.connections, [{ from: 0 }, { from: 5 }, { from: 10 }]);
  assert.deepEqual(progress, [5, 10, 14]);
});

Deno.test("a download ends with the signal's reason, keeps what came, and another call goes on with it", async () => {
  await using temp = await openTempFolder();
  const reason = new Error("no longer wanted");
  const isReason = (error: unknown) => error === reason;
  // sends 5 bytes, and then nothing for as long as anybody listens
  await using silent = openMirror((name) =>
    new Response(
      new ReadableStream({ start: (sent) => sent.enqueue(CONTENTS[name].subarray(0, 5)) }),
    )
  );
  // the second time no byte comes that was not there
  for (let time = 0; time < 2; time++) {
    const stop = new AbortController();
    const fetching = fetchFiles([FILES[0]], silent.url, temp.path, {
      onProgress: () => setTimeout(() => stop.abort(reason), 0),
      signal: stop.signal,
    });
    await assert.rejects(fetching, isReason);
    assert.deepEqual(listNames(temp.path), ["first.partial"]);
  }
  await using mirror = openDroppingMirror(CONTENTS.first, { step: 14, honoursRange: true });
  const aborted = { signal: AbortSignal.abort(reason) };
  await assert.rejects(fetchFiles([FILES[0]], mirror.url, temp.path, aborted), isReason);
  await fetchFiles([FILES[0]], mirror.url, temp.path);
  assert.deepEqual(mirror.connections, [{ from: 5 }]);
  assert.deepEqual(await Deno.readFile(`${temp.path}/first`), CONTENTS.first);
});

Deno.test("a connection that is not made ends with the signal's reason, too", async () => {
  await using temp = await openTempFolder();
  const reason = new Error("no longer wanted");
  const stop = new AbortController();
  await using mirror = openMirror(() => {
    stop.abort(reason);
    return new Response("too late");
  });
  const fetching = fetchFiles([FILES[0]], mirror.url, temp.path, { signal: stop.signal });
  await assert.rejects(fetching, (error: unknown) => error === reason);
  assert.deepEqual(listNames(temp.path), []);
});

Deno.test("what came before a mirror got no further is kept, and another mirror goes on with it", async () => {
  await using temp = await openTempFolder();
  {
    await using mirror = openDroppingMirror(CONTENTS.first, { step: 5, honoursRange: false });
    await assert.rejects(fetchFiles([FILES[0]], mirror.url, temp.path), {
      name: "FileError",
      message:
        /^Cannot download .*first: got a broken connection \(.*\) after 5 bytes, need 14 bytes; what came is kept, and the same call goes on from there$/,
    });
    assert.deepEqual(listNames(temp.path), ["first.partial"]);
  }
  await using mirror = openDroppingMirror(CONTENTS.first, { step: 9, honoursRange: true });
  await fetchFiles([FILES[0]], mirror.url, temp.path);
  assert.deepEqual(mirror.connections, [{ from: 5 }]);
  assert.deepEqual(await Deno.readFile(`${temp.path}/first`), CONTENTS.first);
  assert.deepEqual(listNames(temp.path), ["first"]);
});

Deno.test("a mirror that hangs up after every byte is given up at last", async () => {
  await using temp = await openTempFolder();
  await using mirror = openDroppingMirror(CONTENTS.first, { step: 1, honoursRange: true });
  await assert.rejects(fetchFiles([FILES[0]], mirror.url, temp.path), /after 8 bytes/);
  assert.equal(mirror.connections.length, 8);
});

Deno.test("a body that ends too early is a FileError", async () => {
  await using temp = await openTempFolder();
  await using mirror = openMirror(() => new Response("the first"));
  await assert.rejects(fetchFiles([FILES[0]], mirror.url, temp.path), {
    name: "FileError",
    message: /: got 9 bytes, need 14 bytes; what came is kept/,
  });
});

for (
  const [what, left] of [
    ["of another file", "another f"],
    ["as long as the file", "The first file"],
    ["longer than the file", "the first file and more"],
  ]
) {
  Deno.test(`a partial file ${what} does no harm`, async () => {
    await using temp = await openTempFolder();
    await Deno.writeTextFile(`${temp.path}/first.partial`, left);
    await using mirror = openDroppingMirror(CONTENTS.first, { step: 14, honoursRange: true });
    await fetchFiles([FILES[0]], mirror.url, temp.path);
    assert.deepEqual(await Deno.readFile(`${temp.path}/first`), CONTENTS.first);
    assert.deepEqual(listNames(temp.path), ["first"]);
    assert.equal(mirror.connections.at(-1)!.from, 0);
  });
}

for (
  const [what, headers] of [
    ["another part", { "content-range": "bytes 3-13/14" }],
    ["a part without saying which", undefined],
  ] as const
) {
  Deno.test(`a mirror that sends ${what} is asked for the whole file`, async () => {
    await using temp = await openTempFolder();
    await Deno.writeTextFile(`${temp.path}/first.partial`, "the f");
    let calls = 0;
    await using mirror = openMirror((name) =>
      calls++ === 0
        ? new Response("first file", { status: 206, headers })
        : new Response(CONTENTS[name])
    );
    await fetchFiles([FILES[0]], mirror.url, temp.path);
    assert.deepEqual(await Deno.readFile(`${temp.path}/first`), CONTENTS.first);
    assert.equal(calls, 2);
  });
}

Deno.test("a mirror that lies about the rest of a file is found out", async () => {
  await using temp = await openTempFolder();
  const lie = new TextEncoder().encode("the first lie!");
  await using mirror = openDroppingMirror(lie, { step: 5, honoursRange: true });
  await assert.rejects(fetchFiles([FILES[0]], mirror.url, temp.path), {
    name: "FileError",
    message: new RegExp(`got SHA-256 [0-9a-f]{64}, need ${FILES[0].checksum.digest}$`),
  });
  assert.deepEqual(listNames(temp.path), []);
});

for (const name of ["mnist", "fashion-mnist", "cifar10", "cifar100"] as const) {
  Deno.test(`other content in place of ${name} is refused by its size or checksum`, async () => {
    await using temp = await openTempFolder();
    await using mirror = openMirror(() => new Response("not what was asked for"));
    await assert.rejects(fetchDataset(name, { mirror: mirror.url, folder: temp.path }), {
      name: "FileError",
      message: /got 22 bytes, need \d+ bytes/,
    });
  });
}

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
  await assert.rejects(fetchFiles([FILES[0]], "http://127.0.0.1", folder), {
    name: "FileError",
    path: `${folder}/first`,
    message: /got a file where a folder has to be, need a folder there/,
  });
});

Deno.test("of two that download one file the second is refused, and the first is not disturbed", async () => {
  await using temp = await openTempFolder();
  const second = Promise.withResolvers<void>();
  await using mirror = openMirror(() =>
    new Response(ReadableStream.from((async function* () {
      yield CONTENTS.first.subarray(0, 3);
      await second.promise;
      yield CONTENTS.first.subarray(3);
    })()))
  );
  const first = fetchFiles([FILES[0]], mirror.url, temp.path);
  while (!listNames(temp.path).includes("first.partial")) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await assert.rejects(fetchFiles([FILES[0]], mirror.url, temp.path), {
    name: "FileError",
    message: /^Cannot write .*\/first: got process \d+ on .* at work on it, need it free/,
  });
  second.resolve();
  await first;
  assert.deepEqual(listNames(temp.path), ["first"]);
  assert.deepEqual(await Deno.readFile(`${temp.path}/first`), CONTENTS.first);
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
