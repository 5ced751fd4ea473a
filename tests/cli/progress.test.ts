/** Progress without a terminal: a line a minute, and none for shorter jobs. @module */
import assert from "node:assert/strict";
import { type Display, withProgress } from "../../cli/progress.ts";
import type { OnProgress } from "../../mod.ts";
import { callHere } from "./process.ts";

/** Opens a display with a clock that a job moves by hand, and with the lines printed so far. */
function openDisplay() {
  let now = 1e6;
  let isWatching = false;
  let next = Infinity;
  let period = 0;
  let tick = () => {};
  const lines: string[] = [];
  const display: Display = {
    isTerminal: false,
    now: () => now,
    print: (line) => lines.push(line),
    repeat(callback, everyMs) {
      [isWatching, tick, period, next] = [true, callback, everyMs, now + everyMs];
      return () => [isWatching, next] = [false, Infinity];
    },
  };
  const pass = (seconds: number) => {
    const end = now + 1000 * seconds;
    while (next <= end) {
      now = next;
      next += period;
      tick();
    }
    now = end;
  };
  return { display, lines, pass, isWatching: () => isWatching };
}

type Pass = (seconds: number) => void;

async function show(job: (onProgress: OnProgress, pass: Pass) => void): Promise<string[]> {
  const { display, lines, pass, isWatching } = openDisplay();
  const result = await withProgress("training", "images", (onProgress) => {
    job(onProgress, pass);
    return Promise.resolve(5);
  }, display);
  assert.equal(result, 5);
  assert.equal(isWatching(), false);
  return lines;
}

Deno.test("a line a minute says what is done, the rate and the time left", async () => {
  const lines = await show((onProgress, pass) => {
    for (let done = 0; done < 600_000; done += 41_000) {
      pass(10);
      onProgress(Math.min(done + 41_000, 600_000), 600_000);
    }
  });
  assert.deepEqual(lines, [
    "training: 205,000 of 600,000 images, 3,417 images/s, 1.9 min left",
    "training: 451,000 of 600,000 images, 3,758 images/s, 40 s left",
  ]);
});

Deno.test("a part of a unit is not counted, and counts for the rate", async () => {
  const lines = await show((onProgress, pass) => {
    pass(30);
    onProgress(1.9, 10);
    pass(30);
  });
  assert.deepEqual(lines, ["training: 1 of 10 images, 0.0317 images/s, 4.3 min left"]);
});

Deno.test("nothing is printed of a job of less than a minute, or before it has said how much there is", async () => {
  const short = await show((onProgress, pass) => {
    for (let done = 1; done < 60; done++) {
      pass(1);
      onProgress(done, 60);
    }
  });
  assert.deepEqual(short, []);
  assert.deepEqual(await show((_, pass) => pass(200)), []);
});

Deno.test("what an earlier process did counts for what is done, and not for the rate", async () => {
  const lines = await show((onProgress, pass) => {
    onProgress(900, 1000);
    pass(90);
    onProgress(909, 1000);
    pass(90);
  });
  assert.deepEqual(lines, [
    "training: 900 of 1,000 images",
    "training: 909 of 1,000 images, 0.0750 images/s, 20.2 min left",
    "training: 909 of 1,000 images, 0.0500 images/s, 30.3 min left",
  ]);
});

Deno.test("a job that fails ends its lines", async () => {
  const { display, lines, pass, isWatching } = openDisplay();
  const job = () => Promise.reject(new Error("no"));
  await assert.rejects(withProgress("training", "images", job, display), /no/);
  pass(100);
  assert.deepEqual([isWatching(), lines], [false, []]);
});

Deno.test("--quiet of any command, before or after it, silences it, and no other", async () => {
  const showHalf = () =>
    show((onProgress, pass) => {
      onProgress(1, 2);
      pass(60);
    });
  for (
    const [args, lines] of [
      [["experiment", "list", "--quiet"], []],
      [["experiment", "list"], ["training: 1 of 2 images"]],
      [["--quiet", "experiment", "list"], []],
      [["experiment", "list"], ["training: 1 of 2 images"]],
    ]
  ) {
    assert.equal((await callHere(args)).code, 0);
    assert.deepEqual(await showHalf(), lines, args.join(" "));
  }
});
