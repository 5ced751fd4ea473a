/** Training that is resumed after any of its epochs ends with the bits of training that never stopped. @module */
import assert from "node:assert/strict";
import { createDataset, type Dataset, takeSamples } from "../../../engine/data/dataset.ts";
import { encodeSafetensors } from "../../../engine/formats/safetensors.ts";
import type { Engine } from "../../../engine/engine.ts";
import {
  flatten,
  globalAverage,
  type NetworkDefinition,
  relu,
} from "../../../engine/network/definition.ts";
import type { TrainingResult } from "../../../engine/training/training.ts";
import type { TrainingOptions } from "../../../engine/training/options.ts";
import {
  decodeTrainingState,
  encodeTrainingState,
  type TrainingState,
} from "../../../engine/training/state.ts";
import { drawNumbers } from "../gpu/open.ts";
import { testEngine } from "../open_engine.ts";

const SIDE = 9;

/** Network of a convolution, a frozen norm, dropout, and a layer without a bias. */
const NETWORK: NetworkDefinition = {
  name: "trial",
  forward(layers, images) {
    const x = layers.convolution("conv", images, { filters: 4, size: 3 });
    const y = globalAverage(relu(layers.batchNorm("norm", x)));
    const z = layers.dense("fc1", layers.dropout(y, 0.25), 8, { bias: false });
    return layers.dense("fc2", relu(z), layers.classes);
  },
};

function drawData(seed: number, count: number): Dataset {
  return createDataset({
    name: `data ${seed}`,
    split: "train",
    images: Uint8Array.from(drawNumbers(seed, count * SIDE ** 2), (x) => 127 * (1 + x)),
    labels: Array.from({ length: count }, (_, n) => n % 3),
    shape: [SIDE, SIDE, 1],
    classes: 3,
    mean: [0.5],
    std: [0.3],
  });
}

const DATA = drawData(1, 21);

const OPTIONS: TrainingOptions = {
  epochs: 4,
  batch: 5,
  learningRate: 0.3,
  momentum: 0.9,
  weightDecay: 1e-3,
  schedule: "cosine",
  seed: 7,
  augment: true,
  validation: drawData(2, 12),
  test: drawData(3, 11),
};

/** Strips a result of its times: all else must be the same again. */
function strip({ epochs, ...others }: TrainingResult) {
  return { ...others, epochs: epochs.map(({ seconds: _, ...epoch }) => epoch) };
}

/** Trains a new network; returns the result, the network's final weights, and every epoch's state as a file holds it. */
async function train(engine: Engine, options: TrainingOptions, data = DATA, seed = 1) {
  using network = engine.network(NETWORK, { seed, classes: 3 }, data.shape);
  const states: TrainingState[] = [];
  const onEpoch = (state: TrainingState) => {
    states.push(decodeTrainingState(encodeTrainingState(state), "state"));
  };
  const result = await engine.train(network, data, { ...options, onEpoch });
  return { result, states, last: await network.weights() };
}

for (const validation of [OPTIONS.validation, undefined]) {
  testEngine(
    `training goes on after any epoch to the same bits, with${
      validation ? "" : "out"
    } a validation set`,
    async (engine) => {
      const options = { ...OPTIONS, validation };
      const whole = await train(engine, options);
      assert.equal(whole.states.length, 4);
      // the kept weights are older than most of the states, or newer than all but the last
      assert.equal(whole.result.bestEpoch, validation ? 1 : 4);
      for (const [i, resume] of whole.states.entries()) {
        const progress: number[] = [];
        const onProgress = (done: number) => progress.push(done);
        // other first parameters, which the state replaces
        const part = await train(engine, { ...options, resume, onProgress }, DATA, 2);
        assert.deepEqual(strip(part.result), strip(whole.result), `after epoch ${i + 1}`);
        assert.deepEqual(part.last, whole.last, `after epoch ${i + 1}`);
        assert.equal(progress[0], 21 * (i + 1));
        assert.equal(part.states.length, 3 - i);
        const times = (result: TrainingResult) => result.epochs.map(({ seconds }) => seconds);
        assert.deepEqual(times(part.result).slice(0, i + 1), times(whole.result).slice(0, i + 1));
      }
    },
  );
}

testEngine("what a state is of depends on each of its parts", async (engine) => {
  // every part of a state matters, so that the test above cannot pass without one
  const { result, states: [state] } = await train(engine, OPTIONS);
  const { result: plain } = await train(engine, { ...OPTIONS, onEpoch: undefined });
  assert.deepEqual(strip(plain), strip(result));
  const change = (name: string) => {
    const tensor = state.tensors.get(name)!;
    const data = tensor.data.map((value) => 1 - value);
    return { ...state, tensors: new Map([...state.tensors, [name, { ...tensor, data }]]) };
  };
  const others = [
    ...["parameter.fc1.weight", "velocity.conv.bias", "difficulty", "forgetting.ever_right"]
      .map(change),
    ...(["order", "augmentation", "dropout"] as const).map((name) => ({
      ...state,
      generators: { ...state.generators, [name]: state.generators[name].with(0, 3) },
    })),
  ];
  for (const resume of others) {
    const { result: other } = await train(engine, { ...OPTIONS, resume });
    assert.notDeepEqual(strip(other), strip(result));
  }
});

testEngine("a state of other settings, samples or layers is refused", async (engine) => {
  const { states: [resume] } = await train(engine, { ...OPTIONS, epochs: 1 });
  const refused = (options: TrainingOptions, message: RegExp, data = DATA) =>
    assert.rejects(train(engine, { ...OPTIONS, epochs: 1, resume, ...options }, data), {
      name: "RangeError",
      message,
    });
  await refused({ momentum: 0.5 }, /^Cannot go on training trial: .* momentum 0.9, need 0.5$/);
  await refused({ epochs: 2 }, /got a state with epochs 1, need 2$/);
  await refused({ test: undefined }, /got a state with test [0-9a-f]{64}, need none$/);
  await refused({}, /got a state with samples /, takeSamples(DATA, [0, 1, 2]));
  const tensors = new Map(resume.tensors);
  tensors.delete("velocity.conv.weight");
  const got = /got a state with 0 numbers in velocity.conv.weight, need 36$/;
  await refused({ resume: { ...resume, tensors } }, got);
  const generators = { ...resume.generators, order: [1] };
  await refused({ resume: { ...resume, generators } }, /got a state with 1 words in .*order/);
  const other: NetworkDefinition = {
    name: "trial",
    forward: (layers, images) => layers.dense("fc", flatten(images), layers.classes),
  };
  using network = engine.network(other, { seed: 1, classes: 3 }, DATA.shape);
  const before = await network.weights();
  await assert.rejects(
    engine.train(network, DATA, { ...OPTIONS, epochs: 1, resume }),
    /got a state with 0 numbers in parameter.fc.weight, need 243$/,
  );
  assert.deepEqual(await network.weights(), before);
});

testEngine("a file that holds no state says so", async (engine) => {
  const { states: [{ tensors }] } = await train(engine, { ...OPTIONS, epochs: 1 });
  const bytes = encodeSafetensors(tensors, { training_state: "{" });
  assert.throws(() => decodeTrainingState(bytes, "a.safetensors"), {
    name: "FileError",
    message: "Cannot read a.safetensors: got no state of training, need one",
  });
});
