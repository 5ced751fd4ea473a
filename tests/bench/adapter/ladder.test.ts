/** At which size something is measured, and what is said of the sizes that are not reached. @module */
import assert from "node:assert/strict";
import { type Bounds, climb, type Item } from "../../../bench/adapter/ladder.ts";

/** What happened to a computation that takes `costMs(size)`, on a clock that it moves itself. */
async function measure(
  costMs: (size: number) => number,
  item: Partial<Item> = {},
  { leftMs = 1e6, ...bounds }: Partial<Bounds> & { readonly leftMs?: number } = {},
) {
  let now = 500;
  let open = 0;
  const whole: Item = {
    name: "work",
    unit: "GFLOP/s",
    work: (size) => 7 * size ** 2,
    sizes: [10, 30, 110],
    growth: 2,
    shape: (N) => ({ N }),
    bytes: () => 0,
    open(size) {
      open++;
      return {
        run(repetitions) {
          const ms = costMs(size) * repetitions;
          now += ms;
          return Promise.resolve(ms);
        },
        [Symbol.dispose]: () => open--,
      };
    },
    ...item,
  };
  const limits = {
    now: () => now,
    deadline: now + leftMs,
    end: Infinity,
    room: Infinity,
    measurementMs: 250,
    ...bounds,
  };
  const gpu = { finish: () => Promise.reject(new Error("it has counted by itself")) };
  const found = await Array.fromAsync(climb(gpu, whole, limits));
  assert.equal(open, 0, "every trial is disposed");
  return {
    measured: found.flatMap((one) => "measurement" in one ? [one.measurement] : []),
    omitted: found.flatMap((one) => "omission" in one ? [one.omission] : []),
    tookMs: now - 500,
  };
}

const square = (size: number) => size ** 2 / 100;

Deno.test("where there is time the size that is meant is measured, and it alone", async () => {
  const { measured, omitted } = await measure(square);
  assert.deepEqual(omitted, []);
  // 7 * 110^2 of work in 121 ms
  assert.deepEqual(measured, [{
    name: "work",
    shape: { N: 110 },
    unit: "GFLOP/s",
    median: 700,
    least: 700,
    most: 700,
    rounds: 5,
    firstMs: 1,
  }]);
});

Deno.test("a curve has every size", async () => {
  const { measured } = await measure(square, { isCurve: true });
  assert.deepEqual(measured.map(({ shape, rounds }) => [shape.N, rounds]), [
    [10, 3],
    [30, 3],
    [110, 5],
  ]);
});

Deno.test("what does not fit the time that is left is measured smaller, and named with both sizes", async () => {
  // at N 30 it takes 90 ms, so that 1.21 s are expected at N 110
  const slow = (size: number) => size ** 2 / 10;
  for (const [leftMs, largest] of [[100, 10], [1200, 30], [3700, 30], [4200, 110]]) {
    const { measured, omitted, tookMs } = await measure(slow, {}, { leftMs });
    assert.deepEqual(measured.map(({ shape }) => shape.N), [largest], `${leftMs} ms`);
    assert.ok(measured[0].rounds >= 2);
    // a measurement that has begun is ended: two rounds at least
    assert.ok(tookMs <= Math.max(leftMs, 100 + 2 * 270) + 1210, `${leftMs}: ${tookMs}`);
    if (largest === 110) {
      assert.deepEqual(omitted, []);
      continue;
    }
    assert.equal(omitted.length, 1);
    const [{ name, kind, reason }] = omitted;
    assert.deepEqual([name, kind], ["work, N 110", "smaller"]);
    assert.match(
      reason,
      RegExp(
        `expected to take [\\d.]+ s, and [\\d.]+ s were left for it; measured up to N ${largest}$`,
      ),
    );
  }
});

Deno.test("a probe as long as a measurement is a round, so that what is slow runs three times: first, probed, and once more", async () => {
  for (const [ms, runs] of [[249, 6], [250, 3]]) {
    const { measured: [{ rounds }], tookMs } = await measure(() => ms, { sizes: [1] }, {
      leftMs: 1,
    });
    assert.deepEqual([rounds, tookMs], [2, runs * ms]);
  }
});

Deno.test("a first computation that outlasts its stage is left at that, and named", async () => {
  const { measured, omitted, tookMs } = await measure(() => 7001, {}, { end: 500 + 7000 });
  assert.deepEqual([measured, tookMs], [[], 7001]);
  const reason = "its first computation took 7.0 s, and no time was left";
  assert.deepEqual(omitted, [{ name: "work, N 110", kind: "left out", reason }]);
  const { measured: [{ shape }] } = await measure(() => 7000, { sizes: [10] }, { end: 500 + 7000 });
  assert.deepEqual(shape, { N: 10 });
});

Deno.test("what is sure is measured at its least size whatever the time, and at no larger one", async () => {
  const { measured, omitted } = await measure(square, {}, { leftMs: -1, end: 0, isSure: true });
  assert.deepEqual(measured.map(({ shape, rounds }) => [shape.N, rounds]), [[10, 2]]);
  assert.deepEqual(omitted.map(({ kind, reason }) => [kind, reason]), [
    ["smaller", "no time was left for it; measured up to N 10"],
  ]);
  const large = await measure(square, { bytes: () => 2 }, { room: 1, isSure: true });
  assert.deepEqual(large.measured, []);
});

Deno.test("without time, without room and for a reason of its own nothing is begun", async () => {
  const refused = async (item: Partial<Item>, bounds: Parameters<typeof measure>[2]) => {
    const { measured, omitted, tookMs } = await measure(square, item, bounds);
    assert.deepEqual([measured, tookMs], [[], 0]);
    return omitted;
  };
  const name = "work, N 110";
  const kind = "left out";
  assert.deepEqual(await refused({}, { leftMs: 0 }), [
    { name, kind, reason: "no time was left for it" },
  ]);
  assert.deepEqual(await refused({ bytes: (size) => size * 1e8 }, { room: 9.9e8 }), [
    { name, kind, reason: "it holds 1.0 GB, and 0.99 GB were free" },
  ]);
  assert.deepEqual(await refused({ obstacle: () => "its rows are gone" }, {}), [
    { name, kind, reason: "its rows are gone" },
  ]);
});

Deno.test("memory bounds the size, whatever the time", async () => {
  const { measured, omitted } = await measure(square, { bytes: (size) => size }, { room: 30 });
  assert.deepEqual(measured.map(({ shape }) => shape.N), [30]);
  assert.deepEqual(omitted.map(({ kind }) => kind), ["smaller"]);
});

Deno.test("beside a baseline its size is the one that is meant", async () => {
  const { measured, omitted } = await measure(square, {}, { most: 30 });
  assert.deepEqual(measured.map(({ shape }) => shape.N), [30]);
  assert.deepEqual(omitted, []);
});

Deno.test("median and spread are given in the unit, from the least to the most, of times and of rates", async () => {
  const run = async (item: Partial<Item>) => {
    // the first, those that find how often to repeat, and five rounds
    const costs = [4, 4, 4, 4, 9, 5, 7, 5, 6];
    const { measured: [found] } = await measure(
      () => costs.shift()!,
      { ...item, sizes: [1] },
      { measurementMs: 100 },
    );
    const { median, least, most, rounds, firstMs } = found;
    assert.deepEqual([rounds, firstMs], [5, 4]);
    return [least, median, most];
  };
  assert.deepEqual(await run({ unit: "us", work: () => 1000 }), [5000, 6000, 9000]);
  assert.deepEqual(await run({ unit: "GB/s", work: () => 315 }), [35, 52.5, 63]);
});
