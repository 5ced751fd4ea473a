/** The gradient of a convolution for its input. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { differentiateInput } from "../../engine/operations/convolution.ts";
import { type Bench, drawIntegers, readFloats, Scratch } from "../case.ts";
import { computeTensor, recordLaunches, useStockFlags } from "../contender.ts";
import { defineConv2, describeConvolution, sizeOf } from "../lenet5_convolutions.ts";
import { measure } from "../measure.ts";
import { naive } from "../naive/kernels.ts";
import type { Result } from "../report.ts";

/**
 * Times `convolution` of spread output gradients beside the gradient of `tf.conv2d`, on LeNet-5's second convolution: the first layer needs no input
 * gradient.
 */
export async function* benchInputGradient(bench: Bench): AsyncGenerator<Result> {
  const { gpu, tensorflow } = bench;
  const conv2 = defineConv2();
  const { samples, geometry, stride, pad, inShape, filterShape, outShape, taps } = conv2;
  using scratch = new Scratch(gpu);
  const gradient = drawIntegers(1, sizeOf(outShape));
  const filter = drawIntegers(2, sizeOf(filterShape));
  const deltas = scratch.upload("deltas", gradient);
  const filters = scratch.upload("filters", filter);
  const naiveGradients = scratch.create("naive gradients", sizeOf(inShape));
  const dy = tf.tensor4d(gradient, outShape);
  const w = tf.tensor4d(filter, filterShape);
  const computed = describeConvolution(conv2);
  const { ours, ...peers } = await measure(bench, computed, {
    ours: computeTensor(tensorflow, () => differentiateInput(dy, w, inShape, { stride, pad })),
    naive: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          naive.input_gradient,
          { sample_count: samples, stride, pad, ...geometry },
          { deltas, filters, gradients: naiveGradients },
          Math.ceil(sizeOf(inShape) / 64),
        ),
      () => readFloats(gpu, naiveGradients),
    ),
    // tf.conv2dTranspose runs the kernel of a convolution's input gradient, which it is
    tfjs: useStockFlags(
      computeTensor(tensorflow, () => tf.conv2dTranspose(dy, w, inShape, stride, pad)),
    ),
  });
  tf.dispose([dy, w]);
  const count = 2 * sizeOf(outShape) * taps;
  const work = { speed: "gflops", count, formula: "2 FLOP a tap and output" } as const;
  yield { case: "input_gradient", computed, work, ours, peers };
}
