/** `lpntk plan`: what it tells of memory, on a CPU adapter and on a card. @module */
import assert from "node:assert/strict";
import { describeEstimate } from "../../cli/commands/plan.ts";
import type { Estimate } from "../../mod.ts";

const GIBIBYTE = 2 ** 30;

/** Estimate of a job whose rows go to a file. */
const ESTIMATE: Estimate = {
  layout: { segments: [{ layer: "fc", kind: "plain", offset: 0, length: 7 }], length: 7 },
  rows: {
    blockRows: 4096,
    blockCount: 2,
    sliceCount: 1,
    residence: "file",
    stepwise: true,
    heldLength: 7,
    passes: 1,
    rowBytes: 28 * 8192,
    tileBytes: 4 * 4096 ** 2,
    hostBytes: 3 * GIBIBYTE,
    deviceBytes: 5 * GIBIBYTE,
    peakBytes: 7 * GIBIBYTE,
  },
  variant: "plain-buffer",
  gram: { tiles: 3, flops: 1e9, seconds: 1, matrixBytes: 4 * 8192 ** 2 },
  clusters: { count: 5, passes: 5, bytes: 5, seconds: 1, heldBytes: 0 },
};

Deno.test("a plan tells what both hold where they share memory, and of a card what each of them does", () => {
  const shared = describeEstimate(ESTIMATE, true).join("\n");
  assert.match(shared, /\npeak memory +7 GiB, process and device together\n/);
  assert.doesNotMatch(shared, /tell/);
  assert.match(
    describeEstimate(ESTIMATE, false).join("\n"),
    /\npeak memory +3 GiB of the process, 5 GiB of the device, which does not tell\n +how much it has: if it is less, tiles shrink, then rows go to a file\n/,
  );
});

Deno.test("a plan tells what clustering holds of a kernel that it computes first", () => {
  const rows = { ...ESTIMATE.rows, residence: "recomputed", stepwise: false } as const;
  const clusters = { ...ESTIMATE.clusters, passes: 0, heldBytes: 4 * 60_000 ** 2 };
  assert.match(
    describeEstimate({ ...ESTIMATE, rows, clusters }, true).join("\n"),
    /\nclusters +5 from the whole kernel, for which the process holds 13\.4 GiB more, /,
  );
});
