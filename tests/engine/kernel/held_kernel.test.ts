/** Clustering of rows whose kernel is held: within the memory budget, and with progress. @module */
import assert from "node:assert/strict";
import { drawDigits } from "../../../engine/data/digits.ts";
import { BudgetError } from "../../../engine/errors.ts";
import { projectRows } from "../../../engine/kernel/projection.ts";
import { mlp } from "../../../engine/network/models.ts";
import { DeviceNetwork } from "../../../engine/network/network.ts";
import { Tensorflow } from "../../../engine/operations/tensorflow.ts";
import { clusterSamples } from "../../../engine/samples/fpc.ts";
import { watchLoad } from "../gpu/load.ts";
import { testEngine } from "../open_engine.ts";

const MEBIBYTE = 2 ** 20;
const DATA = drawDigits("train", { size: 1100 });

testEngine(
  "a kernel that has no room is not begun, and what is said to be enough is enough",
  async (engine) => {
    using network = engine.network(mlp, { seed: 1, classes: 10 });
    assert(network instanceof DeviceNetwork);
    const project = (memoryBytes: number) =>
      projectRows(Tensorflow.current, network, DATA, {
        cotangents: "lpntk",
        residence: "recomputed",
        blockRows: 256,
        memoryBytes,
      });
    const ample = await project(2 ** 40);
    const expected = await clusterSamples(ample, { ratio: 0.01 });
    ample.dispose();
    // beside the smallest passes there is less room than for the kernel of 4.6 MiB
    const least = await project(MEBIBYTE).then(
      () => assert.fail(),
      (error) => error as BudgetError,
    );
    const bytes = least.needBytes + MEBIBYTE;
    let needBytes = 0;
    {
      using scarce = await project(bytes);
      assert.equal(scarce.budget!.bytes, bytes);
      using load = watchLoad();
      await assert.rejects(clusterSamples(scarce, { ratio: 0.01 }), (error) => {
        assert(error instanceof BudgetError);
        assert.match(
          error.message,
          /^Cannot cluster 1100 samples: got a memory budget of .* MiB(?: for the process)?, need .* MiB, since these rows' kernel of 5 MiB is held; compute it into a store and cluster that, or take fewer samples$/,
        );
        assert.equal(error.gotBytes, bytes);
        needBytes = error.needBytes;
        return true;
      });
      assert.equal(load.submissions.length, 0);
    }
    using fitting = await project(needBytes);
    const reports: (readonly [number, number])[] = [];
    const onProgress = (done: number, total: number) => reports.push([done, total]);
    assert.deepEqual(await clusterSamples(fitting, { ratio: 0.01, onProgress }), expected);
    // the tiles of five blocks, which are handed out one by one
    assert.ok(reports.length >= 15, `${reports}`);
    assert.deepEqual(reports.at(-1), [15, 15]);
    assert.deepEqual(reports, reports.toSorted(([a], [b]) => a - b));
  },
);
