/**
 * State of training between two epochs, and its file.
 *
 * @module
 */
import type * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { RandomGenerator } from "npm:pure-rand@8.4.2/types/RandomGenerator";
import { z } from "npm:zod@4.6.7";
import { createGenerator, restoreGenerator, STREAMS } from "../data/random.ts";
import {
  decodeMetadata,
  decodeSafetensors,
  encodeSafetensors,
  type WeightTensor,
} from "../formats/safetensors.ts";
import { FileError } from "../errors.ts";
import { ForgettingCounter } from "./forgetting.ts";
import type { DeviceNetwork } from "../network/network.ts";
import type { Weights } from "../network/parameters.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";

/** Measurements of one epoch. */
export interface EpochMetrics {
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  /** Learning rate of the epoch's steps. */
  readonly learningRate: number;
  /** Mean cross-entropy over the epoch's own forward passes, in nats. */
  readonly trainLoss: number;
  /** Accuracy on the validation set, 0 to 1; null without one. */
  readonly validationAccuracy: number | null;
  /** Accuracy on the test set, 0 to 1; null without one. */
  readonly testAccuracy: number | null;
  /** Duration of the epoch's training steps, without measuring accuracy. */
  readonly seconds: number;
}

/** Options of a training and hashes of its data sets; a state can be resumed under the same alone. */
export type StateSettings = Readonly<Record<string, number | string | boolean | null>>;

/** State after an epoch, from which training resumes to the same bits as if it had never stopped. */
export interface TrainingState {
  /** Options of the training and hashes of its data sets. */
  readonly settings: StateSettings;
  /** Measurements of the epochs so far. */
  readonly epochs: readonly EpochMetrics[];
  /** Epoch of the best accuracy on the validation set so far; without a validation set the last epoch, once it is done. */
  readonly best: { readonly epoch: number; readonly accuracy: number } | null;
  /** Internal state of each random generator, in 32-bit words. */
  readonly generators: Readonly<Record<"order" | "augmentation" | "dropout", readonly number[]>>;
  /**
   * Tensors, f32: `parameter.NAME` and `velocity.NAME` in TensorFlow.js's layout; `best.NAME`, the weights of the best epoch so far, in
   * PyTorch's; and `difficulty`, `forgetting.events`, `forgetting.right` and `forgetting.ever_right`, `[N]`.
   */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

const GENERATOR_NAMES = ["order", "augmentation", "dropout"] as const;

type GeneratorName = typeof GENERATOR_NAMES[number];

const WORDS = z.array(z.number());

/** Schema of a state without its tensors. */
const RECORD = z.object({
  settings: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])),
  epochs: z.array(z.object({
    epoch: z.number(),
    learningRate: z.number(),
    trainLoss: z.number(),
    validationAccuracy: z.number().nullable(),
    testAccuracy: z.number().nullable(),
    seconds: z.number(),
  })),
  best: z.object({ epoch: z.number(), accuracy: z.number() }).nullable(),
  generators: z.object({ order: WORDS, augmentation: WORDS, dropout: WORDS }),
});

/** Key of the file's metadata that holds everything but the tensors, as JSON. */
const RECORD_NAME = "training_state";

/** Encodes a state as a `.safetensors` file. */
export function encodeTrainingState(
  { tensors, ...record }: TrainingState,
): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(tensors, { [RECORD_NAME]: JSON.stringify(record) });
}

/**
 * Decodes a state from the bytes that {@linkcode encodeTrainingState} returned.
 *
 * @param path name of the file in errors
 * @throws {FileError} if the bytes are no `.safetensors` file, or one without a state.
 */
export function decodeTrainingState(bytes: Uint8Array, path: string): TrainingState {
  const tensors = decodeSafetensors(bytes, path);
  const { success, data } = RECORD.safeParse(
    parseJson(decodeMetadata(bytes, path).get(RECORD_NAME)),
  );
  if (success) return { ...data, tensors };
  throw new FileError(path, `Cannot read ${path}: got no state of training, need one`);
}

function parseJson(text = "null"): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Everything beside the network's parameters that changes from epoch to epoch. Dispose it to free its buffers. */
export class Course implements Disposable {
  readonly #settings: StateSettings | undefined;
  readonly epochs: EpochMetrics[] = [];
  best:
    | { readonly epoch: number; readonly accuracy: number; readonly weights: Weights }
    | undefined;
  readonly generators: Readonly<Record<GeneratorName, RandomGenerator>>;
  /** Cross-entropy of each sample, summed over the epochs, `[N]` f32, in nats. */
  readonly difficulty: Float32Array<ArrayBuffer>;
  readonly forgetting: ForgettingCounter;
  /** Velocities of the momentum, a buffer for each of the network's variables. */
  readonly velocities: readonly GPUBuffer[];

  /**
   * Begins a training, or resumes it from a state, which also overwrites the network's parameters.
   *
   * @throws {RangeError} if the state is of other parameters, settings or samples; nothing is changed then.
   */
  constructor(
    private readonly tensorflow: Tensorflow,
    private readonly network: DeviceNetwork,
    { count, seed, settings, state }: {
      readonly count: number;
      readonly seed: number;
      /** Settings to save in states and to compare a resumed one with; undefined where there are no states. */
      readonly settings: StateSettings | undefined;
      readonly state: TrainingState | undefined;
    },
  ) {
    this.#settings = settings;
    if (state) this.#refuseOther(state, count);
    const find = (name: string) => Float32Array.from(state!.tensors.get(name)!.data);
    const draw = (name: GeneratorName) =>
      state ? restoreGenerator(state.generators[name]) : createGenerator(seed, STREAMS[name]);
    this.generators = {
      order: draw("order"),
      augmentation: draw("augmentation"),
      dropout: draw("dropout"),
    };
    this.difficulty = state ? find("difficulty") : new Float32Array(count);
    this.forgetting = new ForgettingCounter(
      count,
      state && {
        events: find("forgetting.events"),
        right: find("forgetting.right"),
        everRight: find("forgetting.ever_right"),
      },
    );
    const { gpu } = tensorflow;
    this.velocities = this.network.parameters.map(({ name, variable: { size } }) => {
      const label = `velocity of ${name}`;
      return state
        ? gpu.upload(label, find(`velocity.${name}`))
        : gpu.createBuffer(label, size * 4);
    });
    if (!state) return;
    this.epochs.push(...state.epochs);
    this.best = state.best
      ? { ...state.best, weights: takeNamed(state.tensors, "best.") }
      : undefined;
    for (const { name, variable } of this.network.parameters) {
      gpu.device.queue.writeBuffer(tensorflow.bufferOf(variable), 0, find(`parameter.${name}`));
    }
  }

  /** Copies all of it and the network's parameters to the host. */
  async save(): Promise<TrainingState> {
    const { tensorflow } = this;
    const { gpu } = tensorflow;
    const read = async (name: string, buffer: GPUBuffer, { shape, size }: tf.Tensor) => {
      const data = new Float32Array(await gpu.read(buffer, size * 4));
      return [name, { shape: Array.from<number>(shape), data }] as const;
    };
    // read together, since each reading waits for the device
    const parameters = await Promise.all(
      this.network.parameters.flatMap(({ name, variable }, i) => [
        read(`parameter.${name}`, tensorflow.bufferOf(variable), variable),
        read(`velocity.${name}`, this.velocities[i], variable),
      ]),
    );
    const { events, right, everRight } = this.forgetting.counts;
    const shape = [this.difficulty.length];
    const { epoch, accuracy, weights = new Map<string, WeightTensor>() } = this.best ?? {};
    return {
      settings: { ...this.#settings },
      epochs: [...this.epochs],
      best: epoch === undefined ? null : { epoch, accuracy: accuracy! },
      generators: {
        order: [...this.generators.order.getState()],
        augmentation: [...this.generators.augmentation.getState()],
        dropout: [...this.generators.dropout.getState()],
      },
      tensors: new Map<string, WeightTensor>([
        ...parameters,
        ...[...weights].map(([name, tensor]) => [`best.${name}`, tensor] as const),
        ["difficulty", { shape, data: this.difficulty.slice() }],
        ["forgetting.events", { shape, data: events }],
        ["forgetting.right", { shape, data: right }],
        ["forgetting.ever_right", { shape, data: everRight }],
      ]),
    };
  }

  [Symbol.dispose](): void {
    for (const buffer of this.velocities) this.tensorflow.gpu.destroyBuffer(buffer);
  }

  #refuseOther({ settings, generators, tensors }: TrainingState, count: number): void {
    const refuse = (state: string, need: string) => {
      throw new RangeError(
        `Cannot go on training ${this.network.definition.name}: got a state with ${state}, need ${need}`,
      );
    };
    for (const [key, value] of Object.entries(this.#settings ?? {})) {
      if (settings[key] !== value) {
        refuse(`${key} ${settings[key] ?? "none"}`, `${value ?? "none"}`);
      }
    }
    const sizes = [
      ...this.network.parameters.flatMap(({ name, variable: { size } }) => [
        [`parameter.${name}`, size] as const,
        [`velocity.${name}`, size] as const,
      ]),
      ...["difficulty", "forgetting.events", "forgetting.right", "forgetting.ever_right"]
        .map((name) => [name, count] as const),
    ];
    for (const [name, size] of sizes) {
      const got = tensors.get(name)?.data.length ?? 0;
      if (got !== size) refuse(`${got} numbers in ${name}`, `${size}`);
    }
    for (const name of GENERATOR_NAMES) {
      const words = createGenerator(0, STREAMS[name]).getState().length;
      const got = generators[name].length;
      if (got !== words) refuse(`${got} words in the generator '${name}'`, `${words}`);
    }
  }
}

/** Selects the tensors whose names begin with a prefix, and removes the prefix. */
function takeNamed(tensors: ReadonlyMap<string, WeightTensor>, prefix: string): Weights {
  const named = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(named.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
