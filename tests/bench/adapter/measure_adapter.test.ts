/** An adapter's report at sizes of a few rows: whole, cut at each stage, with a device that is lost, and killed. @module */
import assert from "node:assert/strict";
import { settleReport, writeReport } from "../../../bench/adapter/files.ts";
import { describeFailure, measureAdapter } from "../../../bench/adapter/measure_adapter.ts";
import { formatPage, PAGE_MARK } from "../../../bench/adapter/page.ts";
import {
  listUnfinished,
  readReport,
  type Report,
  type StageName,
  STAGES,
} from "../../../bench/adapter/report.ts";
import { FULL_SIZES, layOutFactored, type Sizes } from "../../../bench/adapter/stage.ts";
import { layOutPlain } from "../../../engine/rows/layout.ts";
import type { UseAdapter } from "../../../bench/open.ts";
import { mlp } from "../../../engine/network/models.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { assertRefused, prepareLpntk, ROOT, runLpntk } from "../../cli/process.ts";
import { openTempFolder } from "../../temp_folder.ts";

const TINY: Sizes = {
  measurementMs: 1,
  tiles: [
    { name: "plain", layout: layOutPlain(100), rows: [66, 130], isCurve: true },
    { name: "factored", layout: layOutFactored(20, 12), rows: [130] },
  ],
  clustering: { rows: [130], lengths: [100], centroids: 3 },
  tileBytes: [2 ** 12],
  samples: [20],
  networks: FULL_SIZES.networks,
};

const open: UseAdapter = (open) => open();
const CHECKS = [{ kernels: "relu", error: NaN, passed: true }];

/** Measures this machine's adapter, and copies what is kept, again and again. */
async function measure(
  sizes: Sizes,
  { minutes = 60, use = open, onKept = () => {} }: {
    readonly minutes?: number;
    readonly use?: UseAdapter;
    readonly onKept?: (report: Report) => void | Promise<void>;
  },
): Promise<Report[]> {
  const kept: Report[] = [];
  await measureAdapter({
    version: "1.2.3",
    minutes,
    sizes,
    use,
    check: () => Promise.resolve(CHECKS),
    keep: async (report) => {
      kept.push(structuredClone(report));
      await onKept(report);
    },
  });
  return kept;
}

Deno.test("every stage of a report is measured, and wherever it is cut both files are valid and say what is missing", async () => {
  const kept = await measure({ ...TINY, networks: [mlp] }, {});
  await using folder = await openTempFolder();
  const name = `${folder.path}/card`;
  for (const cut of kept) {
    await writeReport(name, cut);
    assert.deepEqual(await readReport(`${name}.json`), cut);
    const page = await Deno.readTextFile(`${name}.md`);
    assert.ok(page.startsWith(PAGE_MARK));
    const unfinished = listUnfinished(cut);
    assert.ok(page.includes("**Cut short.**"));
    assert.equal((page.match(/\((?:waiting|begun)\)/g) ?? []).length, unfinished.length);
    for (const { name } of cut.measurements) assert.ok(page.includes(`| ${name} |`), name);
  }
  const whole = kept.at(-1)!;
  assert.deepEqual(listUnfinished(whole), ["lenet5", "lenet_large"]);
  assert.deepEqual(whole.omissions, []);
  assert.deepEqual(whole.checks, [{ kernels: "relu", error: null, passed: true }]);
  assert.equal(whole.lpntk, "1.2.3");
  for (const stage of STAGES.filter((name) => whole.stages[name].state === "done").slice(1)) {
    const count = whole.measurements.filter((measured) => measured.stage === stage).length;
    const needed = { overheads: 3, ceilings: 2, clustering: 1, reading: 1 } as const;
    if (stage === "gram") {
      assert.ok(count % 3 === 0 && count >= 6, "every variant, at 2 and 1 sizes");
    } else assert.equal(count, needed[stage as keyof typeof needed] ?? 12, stage);
  }
  for (const { least, median, most } of whole.measurements) {
    assert.ok(least <= median && median <= most);
  }
});

Deno.test("a device that is lost is opened anew, and every stage after it is measured", async () => {
  const opened: Gpu[] = [];
  const use: UseAdapter = async (open) => {
    const gpu = await open();
    opened.push(gpu);
    return gpu;
  };
  const lose = async () => {
    opened.at(-1)!.device.destroy();
    await opened.at(-1)!.device.lost;
  };
  const kept = await measure({ ...TINY, tiles: TINY.tiles.slice(1), networks: [] }, {
    use,
    // within the stage of the tiles, and before the next one
    onKept: async ({ stages, measurements }) => {
      const tiles = measurements.filter(({ stage }) => stage === "gram").length;
      if (tiles === 1 && stages.gram.state === "begun") await lose();
      if (stages.gram.state === "done" && stages.clustering.state === "waiting") await lose();
    },
  });
  assert.equal(opened.length, 3);
  const { omissions, measurements } = kept.at(-1)!;
  assert.deepEqual(omissions, []);
  assert.deepEqual(new Set(measurements.map(({ stage }) => stage)), new Set(STAGES.slice(1, 6)));
});

Deno.test("what has no time left is named, each by itself, in the order of the stages", async () => {
  const kept = await measure(TINY, { minutes: 1e-6 });
  const begun = (name: StageName) => kept.findIndex(({ stages }) => stages[name].state === "begun");
  assert.deepEqual(STAGES.toSorted((a, b) => begun(a) - begun(b)), STAGES);
  const { measurements, omissions, stages } = kept.at(-1)!;
  assert.deepEqual(measurements, []);
  assert.ok(!formatPage(kept.at(-1)!).includes("Cut short"));
  assert.deepEqual(new Set(omissions.map(({ stage }) => stage)), new Set(STAGES.slice(1)));
  assert.ok(omissions.every(({ kind }) => kind === "left out"));
  assert.equal(omissions.filter(({ stage }) => stage === "mlp").length, 12);
  assert.ok(STAGES.every((name) => stages[name].state === "done"));
});

Deno.test("a stage that fails is named, with its error", async () => {
  const broken = {
    name: "mlp",
    forward: () => {
      throw new Error("no /home/me/network.ts today");
    },
  };
  const sizes = { ...TINY, tiles: [], networks: [broken] };
  const kept = await measure(sizes, { minutes: 1e-6 });
  const reason =
    "Error: Cannot build mlp: its forward pass over images [N, 28, 28, 1] threw Error: no [path] today";
  const failed = kept.at(-1)!.omissions.filter(({ kind }) => kind === "failed");
  assert.deepEqual(failed, [
    { stage: "mlp", name: "the stage", kind: "failed", reason },
  ]);
});

Deno.test("no path of anybody's machine stands in a reason, and what is none stays", () => {
  const clean = (message: string) => describeFailure("x", new Error(message)).reason;
  assert.equal(clean("Cannot read /home/me/a.npy: got"), "Error: Cannot read [path]: got");
  assert.equal(clean("at file:///C:/x/y.ts:1"), "Error: at [path]");
  assert.equal(
    clean("in C:\\Users\\me and ~/b, '/tmp/c'"),
    "Error: in [path] and [path], '[path]'",
  );
  assert.equal(clean("12 GB/s of 3/4\nin\ttwo lines"), "Error: 12 GB/s of 3/4 in two lines");
  assert.equal(clean("x".repeat(9999)).length, 200);
  // what the reader of a report refuses, and a pair that is cut in two
  assert.equal(clean("a\u202eb\u200bc"), "Error: a b c");
  assert.equal(clean(`${"x".repeat(192)}\u{1f600}`), `Error: ${"x".repeat(192)} `);
});

/** Begins a report on the command line, and kills it as soon as a page is there; what it has said on standard error. */
async function killReport(args: readonly string[], page: string): Promise<string> {
  const process = prepareLpntk(["bench", ...args], { timeoutMs: 120_000 }).spawn();
  try {
    for (let i = 0; !await Deno.stat(page).then(() => true, () => false); i++) {
      assert.ok(i < 1500, `${page} was never written`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    process.kill("SIGKILL");
  }
  return new TextDecoder().decode((await process.output()).stderr);
}

Deno.test("a report that is killed is valid, and says at which stage; --force leaves an earlier one until the new one has ended", async () => {
  await using folder = await openTempFolder();
  const name = `${folder.path}/card`;
  // the page is written after the JSON
  await killReport(["--report", name], `${name}.md`);
  const report = await readReport(`${name}.json`);
  const [first, ...rest] = listUnfinished(report);
  assert.equal(first, "checks");
  assert.equal(report.stages.checks.state, "begun");
  assert.ok(rest.every((stage) => report.stages[stage].state === "waiting"));
  const page = await Deno.readTextFile(`${name}.md`);
  assert.ok(
    page.includes("Not ended: Kernels against float64 (begun); A wait and a launch (waiting)"),
    page,
  );
  assertRefused(
    await runLpntk(["bench", "--report", name, "--minutes", "0.001"]),
    `Cannot write ${name}.json: got a report already`,
    "--force to write over it",
  );
  const before = await readAll(folder.path, /^card\.(json|md)$/);
  const said = await killReport(["--report", name, "--force"], `${name}.new.md`);
  assert.ok(said.includes(`${name}.json is replaced when the new report has ended`), said);
  assert.deepEqual(await readAll(folder.path, /^card\.(json|md)$/), before);
  assert.ok(listUnfinished(await readReport(`${name}.new.json`)).includes("checks"));
});

Deno.test("a page has a row for each kind of reason, names what failed, and writes minutes and shares out", async () => {
  const report = await readReport(`${ROOT}/bench/reports/swiftshader.json`);
  const [first] = report.measurements.filter(({ stage }) => stage === "ceilings");
  const name = "plain";
  const late = (seconds: string) => ({
    stage: "gram" as const,
    name,
    kind: "smaller" as const,
    reason: `one submission was expected to take ${seconds} s; measured up to N ${seconds}`,
  });
  const omissions = [
    late("1.4"),
    late("12"),
    { ...late("1"), kind: "left out" as const },
    { ...late("1"), stage: "mlp" as const },
    { ...late("1"), kind: "failed" as const, reason: "Error: 1" },
    { ...late("1"), kind: "failed" as const, reason: "Error: 2" },
  ];
  const tile = { ...first, stage: "gram" as const, median: first.most };
  const page = formatPage({ ...report, minutes: 1, measurements: [first, tile], omissions });
  assert.ok(
    page.includes(`
| gram | smaller | one submission was expected to take 1.4 s | 2 |
| gram | left out | one submission was expected to take 1 s | 1 |
| mlp | smaller | one submission was expected to take 1 s | 1 |
| gram | failed | plain: Error: 1 | 1 |
| gram | failed | plain: Error: 2 | 1 |

The JSON names each.
`),
    page,
  );
  assert.ok(page.includes(", in 1 minute at most |"), page);
  assert.ok(page.includes("| 100 % |"), page);
});

Deno.test("what decides most is measured at its least size once it has begun, however slow", async () => {
  const minutes = 0.5;
  const done = new Error("enough is known");
  let kept: Report | undefined;
  const onKept = async (report: Report) => {
    const { state } = report.stages.ceilings;
    if (state === "begun" && report.measurements.every(({ stage }) => stage !== "ceilings")) {
      // longer than the stage's share
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
    if (state !== "done") return;
    kept = structuredClone(report);
    throw done;
  };
  await assert.rejects(measure({ ...TINY, networks: [] }, { minutes, onKept }), done);
  const found = kept!.measurements.filter(({ stage }) => stage === "ceilings");
  assert.deepEqual(found.map(({ unit }) => unit), ["GFLOP/s", "GB/s"]);
  assert.deepEqual(kept!.omissions, []);
});

/** Texts of a folder's files whose names match, by name. */
async function readAll(folder: string, names: RegExp): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for await (const { name } of Deno.readDir(folder)) {
    if (names.test(name)) texts[name] = await Deno.readTextFile(`${folder}/${name}`);
  }
  return texts;
}

Deno.test("a draft takes an earlier report's place once it has a measurement, and one without fails and replaces nothing", async () => {
  await using folder = await openTempFolder();
  const name = `${folder.path}/card`;
  const draft = `${name}.new`;
  const report = await readReport(`${ROOT}/bench/reports/swiftshader.json`);
  const empty = { ...report, minutes: 0.05, measurements: [] };
  await writeReport(name, report);
  await writeReport(draft, empty);
  const before = await readAll(folder.path, /./);
  await assert.rejects(settleReport({ name, draft }, empty), {
    message:
      `Cannot report on this adapter: got no measurement within 0.05 minutes, need one at least; give it more --minutes; ${draft}.json says why`,
  });
  assert.deepEqual(await readAll(folder.path, /./), before);
  const one = { ...report, measurements: report.measurements.slice(0, 1) };
  await writeReport(draft, one);
  await settleReport({ name, draft }, one);
  assert.deepEqual(await readReport(`${name}.json`), one);
  assert.deepEqual(Object.keys(await readAll(folder.path, /./)).sort(), ["card.json", "card.md"]);
  assert.equal(await Deno.readTextFile(`${name}.md`), formatPage(one));
});

Deno.test("files that are no reports are never written over, whatever is forced", async () => {
  await using folder = await openTempFolder();
  const name = `${folder.path}/README`;
  for (
    const [path, text] of [["README.md", "# Mine"], ["README.json", "{}"], ["README.json", "x"]]
  ) {
    await Deno.writeTextFile(`${folder.path}/${path}`, text);
    for (const force of [[], ["--force"]]) {
      assertRefused(
        await runLpntk(["bench", "--report", name, "--minutes", "0.001", ...force]),
        `Cannot write ${folder.path}/${path}: got a file that lpntk bench --report did not write`,
        "choose another --report or move it away",
      );
    }
    assert.equal(await Deno.readTextFile(`${folder.path}/${path}`), text);
    await Deno.remove(`${folder.path}/${path}`);
  }
  assert.deepEqual(await Array.fromAsync(Deno.readDir(folder.path)), []);
});
