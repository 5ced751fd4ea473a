/** Samples that the command line's options choose, without a GPU: the same ones everywhere, by the sample seed alone. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DataOptions,
  describeChoice,
  describeTrained,
  drawApart,
  loadSamples,
  loadTrainingSets,
  locateKept,
  noteOtherSamples,
  type SampleChoice,
  type Samples,
  type TrainingSets,
} from "../../../cli/samples.ts";
import {
  createDataset,
  encodeNpy,
  encodeSafetensors,
  hashDataset,
  indexSample,
} from "../../../mod.ts";
import { openTempFolder } from "../../temp_folder.ts";

/** Number of samples of each of four classes, one class after the other. */
const EACH = 30;
const COUNT = 4 * EACH;

/** Writes images of one pixel, the sample's index. */
async function writeSorted(path: string, { test = true } = {}): Promise<string> {
  await Deno.mkdir(path);
  const images = Uint8Array.from({ length: COUNT }, (_, i) => i);
  const labels = images.map((i) => Math.floor(i / EACH));
  for (const prefix of ["", ...test ? ["test_"] : []]) {
    await Deno.writeFile(`${path}/${prefix}images.npy`, encodeNpy(images, [COUNT, 1, 1]));
    await Deno.writeFile(`${path}/${prefix}labels.npy`, encodeNpy(labels, [COUNT]));
  }
  return path;
}

/** Lists the samples' indices in the whole split, which their pixels hold. */
function listIndices({ data }: Samples): number[] {
  const indices = Array.from(data.labels.keys(), (position) => indexSample(data, position));
  assert.deepEqual([...data.images], indices);
  assert.deepEqual([...data.labels], indices.map((index) => Math.floor(index / EACH)));
  return indices;
}

/** Describes a choice without the digest of its split's labels, which must be there. */
function describe({ labelsSha256, ...choice }: SampleChoice): SampleChoice {
  assert.match(labelsSha256!, /^[0-9a-f]{64}$/);
  return choice;
}

Deno.test("a size chooses the same samples of every class for every command, and every split and seed its own", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/sorted`);
  const options = { data, trainSize: 50 };
  const { train, test } = await loadTrainingSets(options);
  const indices = listIndices(train);
  assert.deepEqual(
    [0, 1, 2, 3].map((label) => train.data.labels.filter((own) => own === label).length),
    [13, 13, 12, 12],
  );
  assert.deepEqual(describe(train.choice), { split: "train", size: 50, of: COUNT, sampleSeed: 0 });
  assert.deepEqual(describe(test.choice), { split: "test", size: COUNT, of: COUNT });
  assert.equal(test.data.indices, undefined);
  // other options do not change the choice
  const others: (DataOptions & { validationSize?: number; seed?: number })[] = [
    { ...options, testSize: 7 },
    { ...options, validationSize: 20 },
    { ...options, sampleSeed: 0 },
    { ...options, seed: 9 },
  ];
  for (const other of others) {
    assert.deepEqual(listIndices((await loadTrainingSets(other)).train), indices);
  }
  assert.deepEqual(listIndices(await loadSamples(options)), indices);
  const seeded = await loadSamples({ ...options, sampleSeed: 4 });
  assert.notDeepEqual(listIndices(seeded), indices);
  assert.equal(seeded.choice.sampleSeed, 4);
  const first = await loadSamples({ ...options, first: true });
  assert.deepEqual(listIndices(first), [...Array(50).keys()]);
  assert.deepEqual(describe(first.choice), { split: "train", size: 50, of: COUNT, first: true });
  const tested = await loadSamples({ data, split: "test", testSize: 50 });
  assert.deepEqual(listIndices(tested), indices);
  assert.equal(tested.choice.split, "test");
});

Deno.test("parts that are drawn apart share no sample, and the first is what is drawn without the others", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 });
  const labels = fc.array(fc.nat({ max: 3 }), { minLength: 80, maxLength: 90 });
  fc.assert(
    fc.property(labels, sizes, fc.nat(), fc.boolean(), (labels, sizes, sampleSeed, isFirst) => {
      const whole = createDataset({
        name: "n",
        split: "train",
        images: Uint8Array.from(labels.keys()),
        labels,
        shape: [1, 1, 1],
        classes: 4,
        mean: [0],
        std: [1],
      });
      const options = isFirst ? { first: true as const } : { sampleSeed };
      const parts = drawApart(whole, sizes, options);
      assert.deepEqual(parts.map((part) => part.labels.length), sizes);
      assert.equal(
        new Set(parts.flatMap((part) => [...part.images])).size,
        sizes.reduce((a, b) => a + b),
      );
      for (const part of parts) assert.deepEqual([...part.indices!], [...part.images]);
      assert.deepEqual(parts[0], drawApart(whole, [sizes[0]], options)[0]);
    }),
    { numRuns: 50 },
  );
});

Deno.test("validation samples are drawn in proportion from what training leaves", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/sorted`);
  const { train, validation } = await loadTrainingSets({ data, trainSize: 60, validationSize: 20 });
  const [learnt, held] = [listIndices(train), listIndices(validation!)];
  assert.deepEqual(held.filter((index) => learnt.includes(index)), []);
  assert.deepEqual(
    [0, 1, 2, 3].map((label) => held.filter((index) => Math.floor(index / EACH) === label).length),
    [5, 5, 5, 5],
  );
  assert.deepEqual(describe(validation!.choice), {
    split: "train",
    size: 20,
    of: COUNT,
    sampleSeed: 0,
  });
  const rest = await loadTrainingSets({ data, validationSize: 20 });
  assert.equal(rest.train.choice.size, COUNT - 20);
  assert.equal(new Set([...listIndices(rest.train), ...listIndices(rest.validation!)]).size, COUNT);
  await assert.rejects(loadTrainingSets({ data, trainSize: 110, validationSize: 11 }), {
    name: "UsageError",
    message:
      `got 110 training samples beside --validation-size 11, need 1 at least, and at most the ${COUNT} samples of ${data} together`,
  });
});

Deno.test("a default size is at most what there is; one that was asked for is not", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/sorted`);
  const size = async (options: Partial<Parameters<typeof loadTrainingSets>[0]>) =>
    (await loadTrainingSets({ data, ...options })).train.choice.size;
  assert.equal(await size({ defaultSize: 2000 }), COUNT);
  assert.equal(await size({ defaultSize: 2000, validationSize: 10 }), COUNT - 10);
  assert.equal(await size({ defaultSize: 70 }), 70);
  assert.equal(await size({ defaultSize: 70, trainSize: 90 }), 90);
  await assert.rejects(size({ defaultSize: 70, trainSize: 121 }), { name: "UsageError" });
  await assert.rejects(size({ testSize: 121 }), { name: "RangeError" });
});

Deno.test("of a set without test images a fifth is held out, class by class, and told", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/untested`, { test: false });
  const { train, test } = await loadTrainingSets({ data, defaultSize: 2000 });
  const [learnt, held] = [listIndices(train), listIndices(test)];
  assert.deepEqual([...learnt, ...held].sort((a, b) => a - b), [...Array(COUNT).keys()]);
  assert.deepEqual(
    [0, 1, 2, 3].map((label) => held.filter((index) => Math.floor(index / EACH) === label).length),
    [6, 6, 6, 6],
  );
  const heldOut = { split: "train", size: 24, of: COUNT, sampleSeed: 0, heldOut: true };
  assert.deepEqual(describe(test.choice), heldOut);
  assert.deepEqual(describeChoice("test samples", test.choice), [
    "test samples: 24 of 120 training samples, held out as the set has no test images, class by class (sample seed 0)",
  ]);
  // the same samples by the size that was taken, and in an analysis of either set
  const again = await loadTrainingSets({ data, trainSize: 96 });
  assert.deepEqual([listIndices(again.train), listIndices(again.test)], [learnt, held]);
  assert.deepEqual(listIndices(await loadSamples({ data, trainSize: 96 })), learnt);
  assert.deepEqual(listIndices(await loadSamples({ data, split: "test" })), held);
  // an analysis without a test set takes all samples
  assert.equal((await loadSamples({ data })).choice.size, COUNT);

  const few = await loadTrainingSets({ data, trainSize: 50, testSize: 10, validationSize: 9 });
  const all = [few.train, few.test, few.validation!].map(listIndices);
  assert.deepEqual(all.map(({ length }) => length), [50, 10, 9]);
  assert.equal(new Set(all.flat()).size, 69);
  // a size that leaves less than a fifth is kept, one that leaves nothing is refused
  const most = await loadTrainingSets({ data, trainSize: COUNT - 2 });
  assert.deepEqual([most.train.choice.size, most.test.choice.size], [COUNT - 2, 2]);
  await assert.rejects(loadTrainingSets({ data, trainSize: COUNT }), {
    name: "UsageError",
    message:
      `got ${COUNT} training samples and 1 to test on, as ${data} has no test images, need 1 at least, and at most the ${COUNT} samples of ${data} together`,
  });
});

Deno.test("the size of the split that is not analysed is refused", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/sorted`);
  await assert.rejects(loadSamples({ data, testSize: 5 }), {
    name: "UsageError",
    message: "got --test-size 5 for the train split, need --split test or --train-size",
  });
  await assert.rejects(loadSamples({ data, split: "test", trainSize: 5 }), {
    name: "UsageError",
    message: "got --train-size 5 for the test split, need --split train or --test-size",
  });
});

Deno.test("indices to keep are of the whole split, and a stranger is told with the options that choose it", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/sorted`);
  const untested = await writeSorted(`${folder.path}/untested`, { test: false });
  const keep = `${folder.path}/keep.npy`;
  const summary = `${folder.path}/summary.json`;
  const sets = await loadTrainingSets({ data, trainSize: 50 });
  const indices = listIndices(sets.train);
  const locate = async (kept: readonly number[], chosen: TrainingSets = sets) => [
    ...await locateKept(keep, Int32Array.from(kept), chosen),
  ];
  assert.deepEqual(await locate([indices[7], indices[0]]), [7, 0]);
  assert.deepEqual(await locate([5, 3], await loadTrainingSets({ data })), [5, 3]);

  const stranger = [...Array(COUNT).keys()].find((index) => !indices.includes(index))!;
  const got = `Cannot keep the samples of ${keep}: got index ${stranger}, need indices of the `;
  const refuse = (mend: string, chosen?: TrainingSets) =>
    assert.rejects(locate([indices[0], stranger], chosen), {
      name: "UsageError",
      message: `${got}50 of 120 samples of --train-size 50 --sample-seed 0; ${mend}`,
    });
  await refuse("without --train-size all 120 are in");
  await Deno.writeTextFile(summary, "{");
  await refuse("without --train-size all 120 are in");
  const { choice } = await loadSamples({ data, trainSize: 60, sampleSeed: 3 });
  await Deno.writeTextFile(summary, JSON.stringify({ choice }));
  await refuse(`it was chosen from --train-size 60 --sample-seed 3`);
  const others: [change: object, says: RegExp][] = [
    [{ choice: { ...choice, labelsSha256: "0" } }, /got samples of a data set with other labels/],
    [{ choice: { ...choice, heldOut: true } }, /got samples that are held out for testing/],
    [{ samples: 50 }, /got samples of a kernel of 50 that does not say which of the 120/],
  ];
  for (const [change, says] of others) {
    await Deno.writeTextFile(summary, JSON.stringify(change));
    await assert.rejects(locate([indices[0]]), says);
  }
  await Deno.writeTextFile(summary, JSON.stringify({ choice: { ...choice, split: "test" } }));
  await assert.rejects(locate([indices[0]]), {
    name: "UsageError",
    message:
      `Cannot keep the samples of ${keep}: got samples of the test split, need training samples`,
  });
  await Deno.remove(summary);
  await refuse(
    "the others are for testing, as the set has no test images; choose from these by --train-size 50 --sample-seed 0 in prune, gram and others",
    await loadTrainingSets({ data: untested, trainSize: 50 }),
  );
});

Deno.test("weights tell which samples they saw, and an analysis of others says so", async () => {
  await using folder = await openTempFolder();
  const data = await writeSorted(`${folder.path}/sorted`);
  const other = await writeSorted(`${folder.path}/other`);
  await Deno.writeFile(`${other}/labels.npy`, encodeNpy(new Uint8Array(COUNT), [COUNT]));
  const path = `${folder.path}/w.safetensors`;
  const weights = new Map([["b", { shape: [1], data: Float32Array.of(0.5) }]]);
  const load = (options: Partial<Parameters<typeof loadSamples>[0]> = {}) =>
    loadSamples({ data, ...options });
  const notes = async (trained: Samples | undefined, analysed: Samples, name = data) => {
    const metadata = trained && describeTrained(trained, { model: "mlp", data });
    await Deno.writeFile(path, encodeSafetensors(weights, metadata));
    const said: string[] = [];
    const { error } = console;
    console.error = (text) => said.push(text);
    try {
      await noteOtherSamples(path, analysed, { data: name });
    } finally {
      console.error = error;
    }
    return said;
  };
  const say = (which: string) => [
    `note: ${path} was trained on other samples (${data}: ${which}) than these`,
  ];
  const [whole, part, seeded, first] = await Promise.all(
    [{}, { trainSize: 50 }, { trainSize: 50, sampleSeed: 2 }, {
      trainSize: 50,
      first: true as const,
    }]
      .map(load),
  );
  assert.equal(
    describeTrained(part, { model: "mlp", data }).samples_sha256,
    hashDataset(part.data),
  );
  for (const same of [whole, part, seeded, first]) assert.deepEqual(await notes(same, same), []);
  assert.deepEqual(await notes(part, seeded), say("50 of 120, sample seed 0"));
  assert.deepEqual(await notes(seeded, whole), say("50 of 120, sample seed 2"));
  assert.deepEqual(await notes(first, part), say("50 of 120, from the first on"));
  // no note if all samples were seen, or for test samples
  assert.deepEqual(await notes(whole, part), []);
  assert.deepEqual(await notes(part, await load({ split: "test" })), []);
  // another set of the same size, whole and in part
  const [theirs, some] = await Promise.all([
    load({ data: other }),
    load({ data: other, trainSize: 9 }),
  ]);
  assert.deepEqual(await notes(whole, theirs, other), say("120 of 120"));
  assert.deepEqual(await notes(whole, some, other), say("120 of 120"));
  // weights of other programs tell nothing
  assert.deepEqual(await notes(undefined, part), []);
  const text = { samples_sha256: "0", samples: "{" };
  await Deno.writeFile(path, encodeSafetensors(weights, text));
  assert.deepEqual((await notes(undefined, part)).length, 0);
});
