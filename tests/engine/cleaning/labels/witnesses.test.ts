/** Witnesses: against the whole kernels on the host, at sizes that need several tiles. @module */
import assert from "node:assert/strict";
import {
  findWitnesses,
  type WitnessRequest,
} from "../../../../engine/cleaning/labels/witnesses.ts";
import { takeSamples } from "../../../../engine/data/dataset.ts";
import { drawDigits } from "../../../../engine/data/digits.ts";
import { computeGram } from "../../../../engine/kernel/gram.ts";
import { mlp } from "../../../../engine/network/models.ts";
import { testEngine } from "../../open_engine.ts";

const data = drawDigits("train", { size: 150 });

testEngine(
  "witnesses are the least cosines as labelled, and the largest in the suggested class",
  async (engine) => {
    using network = engine.network(mlp, { seed: 1, classes: 10 });
    using rows = await engine.project(network, data, { normalise: true, tileRows: 64 });
    const suspects = [149, 0, 64, 63, 77];
    // the last suspect keeps its label
    const suggested = [
      ...suspects.slice(0, 4).map((n) => (data.labels[n] + 3) % 10),
      data.labels[77],
    ];
    const found = await findWitnesses(engine, network, data, rows, {
      suspects,
      suggested,
      size: 3,
    });
    assert.equal(found.length, suspects.length);
    for (const [s, suspect] of suspects.entries()) {
      const compute = async (label: number) => {
        const sample = { ...takeSamples(data, [suspect]), labels: Int32Array.of(label) };
        using row = await engine.project(network, sample, { normalise: true });
        return await computeGram(row, rows);
      };
      const others = [...data.labels.keys()].filter((n) => n !== suspect);
      const asGiven = await compute(data.labels[suspect]);
      const least = others.toSorted((a, b) => asGiven[a] - asGiven[b] || a - b).slice(0, 3);
      assert.deepEqual(
        found[s].against,
        least.map((position) => ({ position, cosine: asGiven[position] })),
      );
      const asTried = await compute(suggested[s]);
      const alike = others.filter((n) => data.labels[n] === suggested[s])
        .sort((a, b) => asTried[b] - asTried[a] || a - b).slice(0, 3);
      assert.deepEqual(
        found[s].for,
        alike.map((position) => ({ position, cosine: asTried[position] })),
      );
    }
  },
);

testEngine(
  "a class of fewer samples has fewer witnesses, and no suspects have none",
  async (engine) => {
    const few = takeSamples(data, [0, 1, 2, 3]);
    using network = engine.network(mlp, { seed: 1, classes: 10 });
    using rows = await engine.project(network, few, { normalise: true });
    const empty = [...Array(10).keys()].find((label) => !few.labels.includes(label))!;
    const [witnesses] = await findWitnesses(engine, network, few, rows, {
      suspects: [2],
      suggested: [empty],
    });
    assert.deepEqual(witnesses.for, []);
    assert.equal(witnesses.against.length, 3);
    const none = { suspects: [], suggested: [] };
    assert.deepEqual(await findWitnesses(engine, network, few, rows, none), []);
  },
);

testEngine("rows, labels and positions that do not fit are refused", async (engine) => {
  using network = engine.network(mlp, { seed: 1, classes: 10 });
  using plain = await engine.project(network, data);
  using rows = await engine.project(network, data, { normalise: true });
  const find = (suspects: number[], suggested: number[], size?: number) =>
    findWitnesses(engine, network, data, rows, { suspects, suggested, size });
  const refuse = async (call: Promise<unknown>, message: RegExp) =>
    await assert.rejects(call, { message });
  await refuse(
    findWitnesses(engine, network, data, plain, { suspects: [0], suggested: [1] }),
    /got rows of lpntk, need normalised rows of lpntk/,
  );
  await refuse(
    findWitnesses(engine, network, takeSamples(data, [0, 1]), rows, {
      suspects: [0],
      suggested: [1],
    }),
    /got 150 rows for 2 samples/,
  );
  await refuse(find([0, 1], [1]), /got 1 suggested labels for 2 suspects/);
  await refuse(find([0], [10]), /got suggested label 10, need an integer from 0 to 9/);
  await refuse(find([0], [1.5]), /got suggested label 1.5, need an integer from 0 to 9/);
  await refuse(
    findWitnesses(engine, network, data, rows, undefined as unknown as WitnessRequest),
    /Cannot find witnesses: got .*, need an object with suspects, suggested/,
  );
  const none = { suspects: [], suggested: [], signal: AbortSignal.abort() };
  await assert.rejects(findWitnesses(engine, network, data, rows, none), { name: "AbortError" });
  await refuse(find([150], [1]), /Cannot take sample 150/);
  await refuse(find([0], [1], 0), /size/);
});
