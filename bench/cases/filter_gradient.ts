/** The gradient of a convolution for its filter and bias: each sample's own, and their sum. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { kernels } from "../../engine/gpu/kernel_table.ts";
import { PANEL_ROWS } from "../../engine/kernel/plan.ts";
import { type Bench, drawIntegers, readFloats, Scratch, unpackPanels } from "../case.ts";
import { type Contender, recordLaunches } from "../contender.ts";
import {
  conv1,
  conv2,
  type Convolution,
  describeConvolution,
  sizeOf,
} from "../lenet5_convolutions.ts";
import { measure } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import type { Result } from "../report.ts";

/** `filter_gradient` as projections use it and as training does, on LeNet-5's two convolutions. */
export async function* benchFilterGradient(bench: Bench): AsyncGenerator<Result> {
  for (const convolution of [conv1, conv2]) yield* benchLayer(bench, convolution);
}

/** A layer's inputs and deltas, for our kernels and for TensorFlow.js. */
interface Signals {
  readonly inputs: GPUBuffer;
  readonly deltas: GPUBuffer;
  readonly x: tf.Tensor4D;
  readonly dy: tf.Tensor4D;
}

async function* benchLayer(bench: Bench, convolution: Convolution): AsyncGenerator<Result> {
  const { inShape, outShape, taps } = convolution;
  using scratch = new Scratch(bench.gpu);
  const images = drawIntegers(1, sizeOf(inShape));
  const gradients = drawIntegers(2, sizeOf(outShape));
  const signals = {
    inputs: scratch.upload("inputs", images),
    deltas: scratch.upload("deltas", gradients),
    x: tf.tensor4d(images, inShape),
    dy: tf.tensor4d(gradients, outShape),
  };
  const formula = "2 FLOP an output and tap, the bias one of them";
  const count = 2 * sizeOf(outShape) * (taps + 1);
  const result = { case: "filter_gradient", work: { speed: "gflops", count, formula } } as const;
  {
    const computed = `${describeConvolution(convolution)}, each sample's own`;
    const { ours, ...peers } = await measure(bench, computed, {
      ours: enterProjection(bench, scratch, convolution, signals),
      naive: enterNaive(bench, scratch, convolution, signals, 1),
    });
    yield { ...result, computed, ours, peers };
  }
  tf.dispose([signals.x, signals.dy]);
}

/** Into packed rows. */
function enterProjection(
  { gpu }: Bench,
  scratch: Scratch,
  { samples, geometry, taps }: Convolution,
  { inputs, deltas }: Signals,
): Contender {
  const size = (taps + 1) * geometry.out_channels;
  const gradients = scratch.create("rows", samples * size);
  const tiles = samples * Math.ceil((taps + 1) / 4) * Math.ceil(geometry.out_channels / 4);
  const params = {
    sample_count: samples,
    group_count: samples,
    group_samples: 1,
    first_group: 0,
    ...geometry,
    tap_count: taps,
    bias: 1,
    panel_stride: size * PANEL_ROWS,
    group_stride: 1,
    number_stride: PANEL_ROWS,
    offset: 0,
  };
  return recordLaunches(
    gpu,
    (commands) =>
      commands.run(
        kernels.filter_gradient,
        params,
        { inputs, deltas, gradients },
        Math.ceil(tiles / 64),
      ),
    async () => unpackPanels(await readFloats(gpu, gradients), size, samples),
  );
}

function enterNaive(
  { gpu }: Bench,
  scratch: Scratch,
  { samples, geometry, taps }: Convolution,
  { inputs, deltas }: Signals,
  group_samples: number,
): Contender {
  const numbers = samples / group_samples * (taps + 1) * geometry.out_channels;
  const gradients = scratch.create("naive gradients", numbers);
  return recordLaunches(
    gpu,
    (commands) =>
      commands.run(
        naive.filter_gradient,
        { sample_count: samples, group_samples, ...geometry },
        { inputs, deltas, gradients },
        Math.ceil(numbers / 64),
      ),
    () => readFloats(gpu, gradients),
  );
}
