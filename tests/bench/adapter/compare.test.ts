/** Two reports of one adapter: the verdict of each measurement, what is missing, and what is refused. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareMeasurements,
  compareReports,
  formatComparison,
} from "../../../bench/adapter/compare.ts";
import {
  beginReport,
  type Header,
  type Measurement,
  type Report,
  STAGES,
} from "../../../bench/adapter/report.ts";

const HEADER: Header = {
  lpntk: "0.1.0",
  commit: "abc1234",
  date: "2026-11-30",
  deno: "2.9.6",
  host: { os: "linux", architecture: "x86_64", cpus: 2 },
  adapter: {
    name: "a card",
    vendor: "4318",
    backend: "vulkan",
    isCpu: false,
    subgroupSizes: [32, 32],
  },
  limits: { maxBufferSize: 2 ** 31 },
  features: ["timestamp-query"],
  minutes: 5,
};

/** A measurement of the stage `gram`, unless it is said to be another. */
function measure(name: string, numbers: Partial<Measurement>): Measurement {
  const median = numbers.median ?? 100;
  const usual = { stage: "gram", shape: { N: 4096 }, unit: "GFLOP/s", rounds: 5 } as const;
  return { ...usual, name, median, least: median, most: median, firstMs: 1, ...numbers };
}

/** A report that has ended, of these measurements. */
function report(measurements: readonly Measurement[], more: Partial<Report> = {}): Report {
  const stages = Object.fromEntries(
    STAGES.map((name) => [name, { state: "done", seconds: 1 }]),
  ) as Report["stages"];
  const checks = [{ kernels: "relu", error: 0, passed: true }];
  return { ...beginReport(HEADER), stages, checks, measurements: [...measurements], ...more };
}

Deno.test("a rate is slower where its best round is below the bound of the old's worst, and unclear where its median alone is", () => {
  const old = { unit: "GB/s", median: 200, least: 190, most: 210 } as const;
  const cases = [
    // 0.95 of the worst, 190, is 180.5
    [{ median: 170, least: 160, most: 180.4 }, "slower"],
    [{ median: 170, least: 160, most: 180.5 }, "unclear"],
    // half of 0.95 of the median is 95, and one good round hides no less
    [{ median: 95, least: 90, most: 400 }, "unclear"],
    [{ median: 94.9, least: 90, most: 400 }, "slower"],
    [{ median: 189.9, least: 160, most: 400 }, "unclear"],
    [{ median: 190, least: 1, most: 400 }, "ok"],
    [{ median: 7001, least: 7000, most: 7002 }, "ok"],
  ] as const;
  for (const [young, verdict] of cases) {
    const found = compareMeasurements(old, young, 0.95);
    assert.equal(found.verdict, verdict, JSON.stringify(young));
    assert.equal(found.ratio, young.median / 200);
    assert.equal(found.least, young.least / 210);
    assert.equal(found.most, young.most / 190);
  }
});

Deno.test("a time is compared as the speed that it is: twice as long is half", () => {
  const old = { unit: "ms", median: 10, least: 8, most: 16 } as const;
  const young = { median: 20, least: 17, most: 40 };
  assert.deepEqual(compareMeasurements(old, young, 0.95), {
    ratio: 0.5,
    least: 8 / 40,
    most: 16 / 17,
    verdict: "slower",
  });
  assert.equal(compareMeasurements(old, young, 16 / 17).verdict, "unclear");
});

Deno.test("a report beside itself is never slower, and the ratio lies within its spread, whatever the unit", () => {
  const rounds = fc.array(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), {
    minLength: 3,
    maxLength: 3,
  }).map((numbers) => {
    const [least, median, most] = numbers.sort((a, b) => a - b);
    return { least, median, most };
  });
  fc.assert(
    fc.property(rounds, rounds, fc.constantFrom("GB/s", "us"), (a, b, unit) => {
      const old = { ...a, unit } as const;
      assert.equal(compareMeasurements(old, a, 1).verdict, "ok");
      const { ratio, least, most } = compareMeasurements(old, b, 0.95);
      assert.ok(least! <= ratio! && ratio! <= most!);
    }),
  );
});

Deno.test("only the same computation at the same size is compared; the rest is listed with the reason", () => {
  const old = report([
    measure("plain", {}),
    measure("shared", {}),
    measure("texture", {}),
    measure("256 steps", { stage: "clustering" }),
    measure("redundant samples", { stage: "mlp", unit: "ms" }),
  ]);
  const young = report([
    measure("plain", { median: 50 }),
    measure("shared", { shape: { N: 1024 } }),
    measure("new", {}),
  ], {
    omissions: [
      {
        stage: "gram",
        name: "shared, N 4,096",
        kind: "smaller",
        reason: "no time was left for it",
      },
      {
        stage: "gram",
        name: "texture",
        kind: "failed",
        reason: "KernelError: it does not compile",
      },
    ],
  });
  young.stages.clustering = { state: "begun", seconds: 0 };
  const { changes, omitted, added } = compareReports(old, young, 0.95);
  assert.deepEqual(changes.map(({ name, verdict }) => [name, verdict]), [
    ["gram: plain, N 4,096", "slower"],
    ["gram: texture, N 4,096 (KernelError: it does not compile)", "failed"],
    ["clustering: 256 steps, N 4,096 (the stage is begun)", "missing"],
    ["mlp: redundant samples, N 4,096 (not measured)", "missing"],
    ["clustering (the stage is begun)", "missing"],
  ]);
  assert.deepEqual(omitted, ["gram: shared, N 4,096: no time was left for it"]);
  assert.deepEqual(added, ["gram: shared, N 1,024", "gram: new, N 4,096"]);
  const text = formatComparison({ changes, omitted, added }, old, young);
  assert.ok(text.includes("| gram: plain, N 4,096 | 0.500 | 0.500 to 0.500 | slower |"), text);
  for (const line of omitted) assert.ok(text.includes(`left out of the new: ${line}`), text);
});

Deno.test("a unit that has changed and checks that were not made are missing, and ratios are written out", () => {
  const images = { stage: "mlp", unit: "images/s" } as const;
  const old = report([measure("plain", {}), measure("projection", images)]);
  const measurements = [
    measure("plain", { median: 1e15 }),
    measure("projection", { ...images, unit: "ms" }),
  ];
  const young = report(measurements, { checks: [] });
  const comparison = compareReports(old, young, 0.95);
  assert.deepEqual(comparison.changes.map(({ name, verdict }) => [name, verdict]), [
    ["gram: plain, N 4,096", "ok"],
    ["mlp: projection, N 4,096 (measured in ms)", "missing"],
    ["checks (0 of 1)", "missing"],
  ]);
  const text = formatComparison(comparison, old, young);
  assert.ok(text.includes("| 10,000,000,000,000.000 |"), text);
});

Deno.test("a check of kernels that fails in the new report fails, and one that failed in the old alone does not", () => {
  const check = (passed: boolean) => [{ kernels: "relu", error: passed ? 0 : null, passed }];
  const [sound, broken] = [true, false].map((passed) =>
    report([measure("plain", {})], { checks: check(passed) })
  );
  const verdicts = (old: Report, young: Report) =>
    compareReports(old, young, 0.95).changes.map(({ verdict }) => verdict);
  assert.deepEqual(verdicts(sound, broken), ["ok", "failed"]);
  assert.deepEqual(verdicts(broken, sound), ["ok"]);
  const ended = report(sound.measurements, {
    omissions: [{
      stage: "checks",
      name: "the stage",
      kind: "failed",
      reason: "DeviceError: lost",
    }],
  });
  assert.deepEqual(verdicts(sound, ended), ["ok", "failed"]);
});

Deno.test("reports of two adapters, of one by two backends, and with nothing in common are refused", () => {
  const old = report([measure("plain", {})]);
  const by = (adapter: Partial<Report["adapter"]>) =>
    report(old.measurements, { adapter: { ...HEADER.adapter, ...adapter } });
  assert.throws(() => compareReports(old, by({ name: "another card" }), 0.95), {
    name: "RangeError",
    message:
      "Cannot compare reports: got one of a card (vulkan) and one of another card (vulkan), need two of one adapter",
  });
  assert.throws(() => compareReports(old, by({ backend: "dx12" }), 0.95), /a card \(dx12\)/);
  assert.throws(
    () => compareReports(old, report([measure("plain", { shape: { N: 1 } })]), 0.95),
    /measured nothing in common/,
  );
});
