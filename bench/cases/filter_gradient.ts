/** The gradient of a convolution for its filter and bias: each sample's own, and their sum. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { PANEL_ROWS } from "../../engine/rows/blocks.ts";
import { differentiateParameters } from "../../engine/operations/convolution.ts";
import { planFilterGradientLaunch } from "../../engine/operations/convolution_launch.ts";
import {
  type Bench,
  drawIntegers,
  type Floats,
  readFloats,
  Scratch,
  unpackPanels,
} from "../case.ts";
import { computeTensor, type Contender, recordLaunches, useStockFlags } from "../contender.ts";
import {
  type Convolution,
  defineConv1,
  defineConv2,
  describeConvolution,
  sizeOf,
} from "../lenet5_convolutions.ts";
import { measure } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import type { Result } from "../report.ts";

/**
 * Number of samples of a sum: TensorFlow.js and the naive kernel loop over all of their positions, and lavapipe ends an invocation's loops after
 * 65,535 steps, so that more samples would be summed wrongly.
 */
const SUM_SAMPLES = 64;

/** Times `filter_gradient` as projections use it and as training does, on LeNet-5's two convolutions. */
export async function* benchFilterGradient(bench: Bench): AsyncGenerator<Result> {
  for (const define of [defineConv1, defineConv2]) {
    yield await benchOwn(bench, define());
    yield await benchSum(bench, define(SUM_SAMPLES));
  }
}

/** Inputs of a layer, and its output gradients. */
interface LayerTensors {
  readonly inputs: Floats;
  readonly deltas: Floats;
}

function drawTensors({ inShape, outShape }: Convolution): LayerTensors {
  return {
    inputs: drawIntegers(1, sizeOf(inShape)),
    deltas: drawIntegers(2, sizeOf(outShape)),
  };
}

function describeWork({ outShape, taps }: Convolution) {
  const formula = "2 FLOP an output and tap, the bias one of them";
  const count = 2 * sizeOf(outShape) * (taps + 1);
  return { case: "filter_gradient", work: { speed: "gflops", count, formula } } as const;
}

/** Times each sample's own gradient, into packed rows. */
async function benchOwn(bench: Bench, convolution: Convolution): Promise<Result> {
  using scratch = new Scratch(bench.gpu);
  const tensors = drawTensors(convolution);
  const computed = `${describeConvolution(convolution)}, each sample's own`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: enterProjection(bench, scratch, convolution, tensors),
    naive: enterNaive(bench, scratch, convolution, tensors, 1),
  });
  return { ...describeWork(convolution), computed, ours, peers };
}

/** Times the sum of the gradients, as a training step needs it. */
async function benchSum(bench: Bench, convolution: Convolution): Promise<Result> {
  using scratch = new Scratch(bench.gpu);
  const { inShape, outShape, filterShape, stride, pad, samples } = convolution;
  const tensors = drawTensors(convolution);
  const x = tf.tensor4d(tensors.inputs, inShape);
  const dy = tf.tensor4d(tensors.deltas, outShape);
  const computed = `${describeConvolution(convolution)}, their sum`;
  const { ours, ...peers } = await measure(bench, computed, {
    ours: computeTensor(bench.tensorflow, () => {
      const { filter, bias } = differentiateParameters(x, dy, filterShape, { stride, pad });
      return joinGradients(filter, bias);
    }),
    naive: enterNaive(bench, scratch, convolution, tensors, samples),
    tfjs: useStockFlags(
      computeTensor(bench.tensorflow, () => differentiateStock(convolution, x, dy)),
    ),
  });
  tf.dispose([x, dy]);
  return { ...describeWork(convolution), computed, ours, peers };
}

/** Computes the gradients by TensorFlow.js's own kernels. */
function differentiateStock(
  { stride, pad, filterShape }: Convolution,
  x: tf.Tensor,
  dy: tf.Tensor,
): tf.Tensor {
  const filter = tf.engine().runKernel<tf.Tensor>("Conv2DBackpropFilter", { x, dy }, {
    strides: stride,
    pad,
    dataFormat: "NHWC",
    dimRoundingMode: "floor",
    filterShape,
  });
  return joinGradients(filter, tf.sum(dy, [0, 1, 2]));
}

/** Joins gradients into `[taps + 1, out channels]`, the bias last. */
function joinGradients(filter: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  return tf.concat([tf.reshape(filter, [-1, bias.size]), tf.reshape(bias, [1, -1])]);
}

function enterProjection(
  { gpu }: Bench,
  scratch: Scratch,
  { samples, geometry, taps }: Convolution,
  tensors: LayerTensors,
): Contender {
  const inputs = scratch.upload("inputs", tensors.inputs);
  const deltas = scratch.upload("deltas", tensors.deltas);
  const size = (taps + 1) * geometry.out_channels;
  const gradients = scratch.create("rows", samples * size);
  const { kernel, params, workgroups } = planFilterGradientLaunch({
    sample_count: samples,
    group_count: samples,
    group_samples: 1,
    first_group: 0,
    ...geometry,
    first: 0,
    end: size,
    panel_stride: size * PANEL_ROWS,
    group_stride: 1,
    element_stride: PANEL_ROWS,
    offset: 0,
  });
  return recordLaunches(
    gpu,
    (commands) => commands.run(kernel, params, { inputs, deltas, gradients }, workgroups),
    async () => unpackPanels(await readFloats(gpu, gradients), size, samples),
  );
}

function enterNaive(
  { gpu }: Bench,
  scratch: Scratch,
  { samples, geometry, stride, pad, taps }: Convolution,
  tensors: LayerTensors,
  group_samples: number,
): Contender {
  const inputs = scratch.upload("naive inputs", tensors.inputs);
  const deltas = scratch.upload("naive deltas", tensors.deltas);
  const numbers = samples / group_samples * (taps + 1) * geometry.out_channels;
  const gradients = scratch.create("naive gradients", numbers);
  return recordLaunches(
    gpu,
    (commands) =>
      commands.run(
        naive.filter_gradient,
        { sample_count: samples, group_samples, stride, pad, ...geometry },
        { inputs, deltas, gradients },
        Math.ceil(numbers / 64),
      ),
    () => readFloats(gpu, gradients),
  );
}
