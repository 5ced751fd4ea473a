/** Streams of random numbers: no use of a seed repeats the numbers of another, nor of another seed. @module */
import assert from "node:assert/strict";
import { createGenerator, type Stream, STREAMS } from "../../../engine/data/random.ts";
import { keepHighest, keepRandom, pruneHeads } from "../../../engine/samples/pruning.ts";

const NAMES = Object.keys(STREAMS) as (keyof typeof STREAMS)[];

/** Draws the first `count` numbers of 32 bits. */
function draw(count: number, seed: number, stream: Stream, substream?: number): Int32Array {
  const generator = createGenerator(seed, stream, substream);
  return new Int32Array(count).map(() => generator.next());
}

/** Seeds next to one another, as the runs of an arm have them, and others. */
const SEEDS = [0, 1, 2, 3, 7, 41, 42, 9999];

interface Sequence {
  readonly name: string;
  readonly numbers: Int32Array;
}

function listSequences(count: number): Sequence[] {
  return SEEDS.flatMap((seed) => [
    ...NAMES.map((name) => ({
      name: `${name}, seed ${seed}`,
      numbers: draw(count, seed, STREAMS[name]),
    })),
    ...[0, 1, 2, 3].map((head) => ({
      name: `head ${head}, seed ${seed}`,
      numbers: draw(count, seed, STREAMS.heads, head),
    })),
  ]);
}

Deno.test("no stream is another one, nor another one shifted", () => {
  const found = new Map<string, string>();
  for (const { name, numbers } of listSequences(700)) {
    for (let at = 0; at + 4 <= numbers.length; at++) {
      const run = numbers.subarray(at, at + 4).join();
      const earlier = found.get(run);
      assert.ok(earlier === undefined, `${earlier} and ${name} share four numbers on end`);
      found.set(run, `${name}, from ${at}`);
    }
  }
});

Deno.test("streams are not correlated, at no lag up to 2", () => {
  const count = 1500;
  const sequences = listSequences(count).map(({ name, numbers }) => ({
    name,
    // values are uniform over [-1, 1), with variance 1/3
    values: Float64Array.from(numbers, (number) => number / 2 ** 31),
  }));
  // of two independent streams the sum of products is normal with a standard deviation of sqrt(n) / 3; 5.5 of them are passed once in
  // 26 million tries, and these are 31,000
  const most = 5.5 * Math.sqrt(count) / 3;
  sequences.forEach(({ name, values }, i) => {
    for (const other of sequences.slice(0, i)) {
      for (const lag of [0, 1, 2]) {
        let sum = 0;
        for (let at = lag; at < count; at++) sum += values[at] * other.values[at - lag];
        assert.ok(Math.abs(sum) < most, `${name} and ${other.name}: ${sum} at lag ${lag}`);
      }
    }
  });
});

Deno.test("of seeds below 10,000 no two streams or substreams begin alike", () => {
  const names = ["conv1", "conv2", "fc1", "fc2", "fc3", "linear", "layer1.0.conv1", "classifier"];
  const hashes = names.map((name) => [...name].reduce((h, c) => h * 31 + c.charCodeAt(0) | 0, 7));
  const found = new Map<string, string>();
  const add = (name: string, seed: number, stream: Stream, substream?: number) => {
    const begin = draw(2, seed, stream, substream).join();
    assert.ok(!found.has(begin), `${found.get(begin)} and ${name}, seed ${seed}`);
    found.set(begin, `${name}, seed ${seed}`);
  };
  for (let seed = 0; seed < 10_000; seed++) {
    for (const name of NAMES) add(name, seed, STREAMS[name]);
    if (seed >= 200) continue;
    for (let head = 0; head < 100; head++) add(`head ${head}`, seed, STREAMS.heads, head);
    for (const hash of hashes) add(`sketch ${hash}`, seed, STREAMS.sketch, hash);
  }
});

Deno.test("samples kept at random, by score and of heads are other ones for the same seed", () => {
  const one = { assignment: new Int32Array(10), heads: [0] };
  const two = { assignment: Int32Array.from({ length: 20 }, (_, i) => Number(i >= 10)) };
  const same = { random: 0, ties: 0, heads: 0 };
  for (let seed = 0; seed < 200; seed++) {
    const head = pruneHeads(one, 0.5, seed).join();
    const removed = [...Array(10).keys()].filter((i) => !head.split(",").includes(`${i}`)).join();
    const random = keepRandom(10, 5, seed).join();
    const ties = keepHighest(new Float32Array(10), 5, seed).join();
    same.random += Number(random === head) + Number(random === removed);
    same.ties += Number(ties === random) + Number(ties === head) + Number(ties === removed);
    const both = pruneHeads({ ...two, heads: [0, 1] }, 0.5, seed);
    const places = both.map((i) => i % 10);
    same.heads += Number(places.subarray(0, 5).join() === places.subarray(5).join());
  }
  // 1.6, 2.4 and 0.8 of the 252 choices are expected to be the same
  assert.ok(same.random <= 8 && same.ties <= 10 && same.heads <= 6, JSON.stringify(same));
});

Deno.test("every generator takes a stream of the registry, by its name", async () => {
  const root = new URL("../../../", import.meta.url);
  const list = async (folder: URL): Promise<URL[]> =>
    (await Array.fromAsync(Deno.readDir(folder), ({ name, isDirectory }) => {
      const url = new URL(isDirectory ? `${name}/` : name, folder);
      return isDirectory ? list(url) : [url];
    })).flat();
  const files =
    (await Promise.all(["engine/", "cli/", "bench/"].map((name) => list(new URL(name, root)))))
      .flat().filter(({ pathname }) => pathname.endsWith(".ts"));
  let calls = 0;
  for (const file of files) {
    const text = await Deno.readTextFile(file);
    if (file.pathname.endsWith("engine/data/random.ts")) continue;
    assert.ok(!text.includes("/generator/"), `${file.pathname} makes a generator of its own`);
    // matched up to the end of the statement, since an argument may be a conditional
    for (const [call] of text.matchAll(/createGenerator\([^;]*/g)) {
      calls++;
      assert.match(call, /STREAMS[.[]/, file.pathname);
    }
  }
  assert.ok(calls >= 12, `${calls} calls were found`);
});

Deno.test("seeds that are no 32-bit integers are refused, not rounded", () => {
  for (const seed of [-1, 0.5, NaN, 2 ** 32]) {
    assert.throws(() => keepRandom(10, 5, seed), {
      name: "RangeError",
      message: `Cannot draw random numbers: got seed ${seed}, need an integer from 0 to 4294967295`,
    });
  }
});
