/** The forward pass of a convolution. @module */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { convolve } from "../../engine/operations/convolution.ts";
import { type Bench, drawIntegers, readFloats, Scratch } from "../case.ts";
import { computeTensor, recordLaunches, useStockFlags } from "../contender.ts";
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

/** Times `convolution` with the packing of its filter beside `tf.conv2d`, on LeNet-5's two layers. */
export async function* benchConvolution(bench: Bench): AsyncGenerator<Result> {
  for (const convolution of [defineConv1(), defineConv2()]) {
    yield await benchLayer(bench, convolution);
  }
}

async function benchLayer(bench: Bench, convolution: Convolution): Promise<Result> {
  const { gpu, tensorflow } = bench;
  const { samples, geometry, stride, pad, inShape, filterShape, outShape, taps } = convolution;
  using scratch = new Scratch(gpu);
  const images = drawIntegers(1, sizeOf(inShape));
  const filter = drawIntegers(2, sizeOf(filterShape));
  const inputs = scratch.upload("inputs", images);
  const filters = scratch.upload("filters", filter);
  const naiveOutputs = scratch.create("naive outputs", sizeOf(outShape));
  const x = tf.tensor4d(images, inShape);
  const w = tf.tensor4d(filter, filterShape);
  const computed = describeConvolution(convolution);
  const { ours, ...peers } = await measure(bench, computed, {
    ours: computeTensor(tensorflow, () => convolve(x, w, undefined, { stride, pad })),
    naive: recordLaunches(
      gpu,
      (commands) =>
        commands.run(
          naive.convolution,
          { sample_count: samples, stride, pad, ...geometry },
          { inputs, filters, outputs: naiveOutputs },
          Math.ceil(sizeOf(outShape) / 64),
        ),
      () => readFloats(gpu, naiveOutputs),
    ),
    tfjs: useStockFlags(computeTensor(tensorflow, () => tf.conv2d(x, w, stride, pad))),
  });
  tf.dispose([x, w]);
  const count = 2 * sizeOf(outShape) * taps;
  const work = { speed: "gflops", count, formula: "2 FLOP a tap and output" } as const;
  return { case: "convolution", computed, work, ours, peers };
}
