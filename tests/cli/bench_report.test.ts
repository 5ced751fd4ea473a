/** Reports of an adapter on the command line: what `--baseline` prints, its exit codes, and what is refused. @module */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { beginReport, type Report, STAGES } from "../../bench/adapter/report.ts";
import { openTempFolder } from "../temp_folder.ts";
import { assertRefused, listFolder, runLpntk } from "./process.ts";

/** A report that has ended, of tiles at a few speeds. */
function report(speeds: Readonly<Record<string, readonly [least: number, most: number]>>): Report {
  const empty = beginReport({
    lpntk: "0.1.0",
    commit: "abc1234",
    date: "2026-11-30",
    deno: "2.9.6",
    host: { os: "linux", architecture: "x86_64", cpus: 2 },
    adapter: {
      name: "a card of nobody's",
      vendor: "4318",
      backend: "vulkan",
      isCpu: false,
      subgroupSizes: [32, 32],
    },
    limits: {},
    features: [],
    minutes: 5,
  });
  for (const name of STAGES) empty.stages[name] = { state: "done", seconds: 1 };
  const measurements = Object.entries(speeds).map(([name, [least, most]]) => ({
    stage: "gram" as const,
    name,
    shape: { N: 4096 },
    unit: "GFLOP/s" as const,
    median: (least + most) / 2,
    least,
    most,
    rounds: 5,
    firstMs: 1,
  }));
  const checks = [{ kernels: "relu", error: 0, passed: true }];
  return { ...empty, checks, measurements };
}

/** Writes values as `0.json`, `1.json`, and so on. */
async function write(folder: string, ...values: readonly unknown[]): Promise<string[]> {
  const paths = values.map((_, i) => `${folder}/${i}.json`);
  for (const [i, path] of paths.entries()) {
    await Deno.writeTextFile(path, JSON.stringify(values[i]));
  }
  return paths;
}

const OLD = report({ plain: [98, 102], shared: [980, 1020], gone: [1, 2] });
const omissions = leaveOut("gone");
const SLOW = { ...report({ plain: [97, 99], shared: [800, 900] }), omissions };
const NOISY = { ...report({ plain: [97, 99], shared: [600, 1000] }), omissions };

/** Omissions of tiles for want of time. */
function leaveOut(...names: readonly string[]): Report["omissions"] {
  return names.map((name) => ({
    stage: "gram",
    name: `${name}, N 4,096`,
    kind: "left out",
    reason: "no time was left for it",
  }));
}

Deno.test("bench --baseline exits with 1 where something is slower by more than its spread, and names it", async () => {
  await using folder = await openTempFolder();
  const [old, slow, noisy] = await write(folder.path, OLD, SLOW, NOISY);
  const call = ["bench", "--baseline", old, "--fail-below", "0.95"];
  const slower = await runLpntk([...call, slow]);
  assert.equal(slower.code, 1);
  assert.equal(
    slower.stderr,
    "lpntk: Cannot accept the new report: got 1 of 2 slower, failed or missing (gram: shared, N 4,096: slower), need all there, at 0.95 of the old within their spread\n",
  );
  assert.ok(
    slower.stdout.includes("| gram: shared, N 4,096 | 0.850 | 0.784 to 0.918 | slower |"),
    slower.stdout,
  );
  assert.ok(
    slower.stdout.includes("left out of the new: gram: gone, N 4,096: no time was left for it"),
  );
  const unclear = await runLpntk([...call, noisy]);
  assert.deepEqual([unclear.code, unclear.stderr], [0, ""]);
  assert.ok(unclear.stdout.includes("| 0.800 | 0.588 to 1.020 | unclear |"), unclear.stdout);
  const unbound = await runLpntk(["bench", "--baseline", old, slow]);
  assert.deepEqual([unbound.code, unbound.stderr], [0, ""]);
  assert.ok(unbound.stdout.includes("| 0.850 | 0.784 to 0.918 | ok |"), unbound.stdout);
  const json = await runLpntk([...call, slow, "--json"]);
  assert.equal(json.code, 1);
  const { changes, omitted, added } = JSON.parse(json.stdout);
  assert.deepEqual(changes[1], {
    name: "gram: shared, N 4,096",
    ratio: 0.85,
    least: 800 / 1020,
    most: 900 / 980,
    verdict: "slower",
  });
  assert.deepEqual([omitted, added], [["gram: gone, N 4,096: no time was left for it"], []]);
});

Deno.test("--fail-below refuses a report that has not ended, lacks checks or measurements, or left most of them out", async () => {
  await using folder = await openTempFolder();
  const cut = structuredClone(NOISY);
  cut.stages.mlp.state = "begun";
  const few = { ...report({ plain: [97, 99] }), omissions: leaveOut("shared", "gone") };
  const cases = [
    [cut, "mlp (the stage is begun): missing"],
    [{ ...NOISY, checks: [] }, "checks (0 of 1): missing"],
    [{ ...NOISY, omissions: [] }, "gram: gone, N 4,096 (not measured): missing"],
    [few, "got 1 of the old report's measurements and 2 left out, need at least half of them"],
  ] as const;
  const [old, ...others] = await write(folder.path, OLD, ...cases.map(([report]) => report));
  for (const [i, path] of others.entries()) {
    const bound = await runLpntk(["bench", "--baseline", old, path, "--fail-below", "0.5"]);
    assert.equal(bound.code, 1);
    assert.ok(bound.stderr.includes(cases[i][1]), bound.stderr);
    assert.equal((await runLpntk(["bench", "--baseline", old, path])).code, 0);
  }
});

Deno.test("what no report of ours says is refused, and printed without what cannot be seen", async () => {
  await using folder = await openTempFolder();
  const [first, ...rest] = OLD.measurements;
  const withFirst = (change: object) => ({
    ...OLD,
    measurements: [{ ...first, ...change }, ...rest],
  });
  const cases = [
    [withFirst({ unit: "ms" }), "measurements.0 is wrong (a unit that its stage lacks)"],
    [
      withFirst({ least: 101 }),
      "measurements.0 is wrong (a median that is not between least and most)",
    ],
    [
      withFirst({ median: 97 }),
      "measurements.0 is wrong (a median that is not between least and most)",
    ],
    [
      { ...OLD, measurements: [first, first] },
      "measurements is wrong (the same measurement twice)",
    ],
    [withFirst({ shape: { N: 1e300 } }), "measurements.0.shape.N is wrong"],
    [withFirst({ shape: { "": 1 } }), "measurements.0.shape. is wrong"],
    [withFirst({ median: 5e-324, least: 5e-324 }), "measurements.0.median is wrong"],
    [{ ...OLD, ["evil\u001b[2J\nkey"]: 1 }, "\\u001b[2J\\nkey"],
    [{ ...OLD, version: "\u202e".repeat(999) }, 'version "\\u202e\\u202e'],
    ...["\u202e", "\u2028", "\u200b", "\ue000", "\u3164", "x".repeat(201)].map((text) =>
      [{ ...OLD, commit: text }, "commit is wrong ("] as const
    ),
  ] as const;
  const [old, ...others] = await write(folder.path, OLD, ...cases.map(([report]) => report));
  for (const [i, path] of others.entries()) {
    const { code, stdout, stderr } = await runLpntk(["bench", "--baseline", old, path]);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
    assert.ok(stderr.includes(cases[i][1]), stderr);
    assert.match(stderr, /^[^\p{C}]{1,500}\n$/u);
  }
});

Deno.test("what is no report of this version is refused in one line", async () => {
  await using folder = await openTempFolder();
  const broken = {
    ...OLD,
    measurements: [{ ...OLD.measurements[0], name: "\u001b[2J", median: -1 }],
  };
  const [old, foreign, newer, wrong, list] = await write(
    folder.path,
    OLD,
    { name: "a package", version: "1.0.0" },
    { ...OLD, version: 2, stages: "others" },
    broken,
    [OLD],
  );
  const need = "need a report that lpntk bench --report wrote";
  const expected = {
    [foreign]: `Cannot read ${foreign}: got other JSON, ${need}`,
    [newer]:
      `Cannot read ${newer}: got a report of version 2 of the format, need version 1; make it anew`,
    [wrong]: `Cannot read ${wrong}: got a report whose measurements.0.name is wrong`,
    [list]: `Cannot read ${list}: got other JSON, ${need}`,
    [`${folder.path}/none.json`]: `Cannot read ${folder.path}/none.json: got no such file, ${need}`,
  };
  for (const [path, message] of Object.entries(expected)) {
    assertRefused(await runLpntk(["bench", "--baseline", old, path]), message);
    assertRefused(await runLpntk(["bench", "--baseline", path, old]), message);
  }
});

Deno.test("reports that cannot be compared, and calls that mean nothing, exit with 2", async () => {
  await using folder = await openTempFolder();
  const { adapter } = OLD;
  const [old, young, other] = await write(
    folder.path,
    OLD,
    report({ new: [1, 2] }),
    { ...OLD, adapter: { ...adapter, name: "another card" } },
  );
  const name = `${folder.path}/new`;
  const place = old.replace(/\.json$/, "");
  const cases: [args: string[], says: string][] = [
    [["--baseline", old, young], "measured nothing in common"],
    [["--baseline", old, other], "one of a card of nobody's (vulkan) and one of another card"],
    // before anything is measured
    [
      ["--baseline", old, "--report", name, "--minutes", "0.001"],
      "one of a card of nobody's (vulkan) and one of",
    ],
    // a report that would be written over what it is compared with
    [
      [
        "--baseline",
        `${folder.path}/../${basename(folder.path)}/0.json`,
        "--report",
        place,
        "--force",
      ],
      "as the baseline and the place of the new one, need two places",
    ],
    [["--baseline", old], "got --baseline and 0 other reports, need one, or --report <name>"],
    [["--baseline", old, old, old], "got --baseline and 2 other reports"],
    [["--baseline", old, "--report", name, old], `got --report beside ${old}`],
    [["gram", "--report", name], "got --report beside gram, need one of them"],
    [["--minutes", "3"], "got --minutes alone, need --report <name> beside it"],
    [["--force", "--baseline", old, old], "got --force alone, need --report"],
    [["--fail-below", "0.9"], "got --fail-below alone, need --baseline <file> beside it"],
    [[old], "got a report alone, need --baseline <file> beside it"],
    [["--report", `${name}.json`], "need a name without an ending"],
    [["--report", `${folder.path}/`], "need a name without an ending"],
    [["--report", name, "--minutes", "0"], "need a number above 0"],
    [["--baseline", old, old, "--fail-below", "95"], "need a number above 0 and at most 1"],
    [["--report", name, "--quick"], "--quick"],
  ];
  for (const [args, says] of cases) {
    const { code, stdout, stderr } = await runLpntk(["bench", ...args]);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, `${args}: ${stderr}`);
    assert.match(stderr, /^lpntk: [^\n]+\n$/);
    assert.ok(stderr.includes(says), stderr);
  }
  assert.deepEqual(await listFolder(folder.path), ["0.json", "1.json", "2.json"]);
});
