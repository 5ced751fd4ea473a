/**
 * Launches of kernels that compute number by number.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Kernel } from "../gpu/kernel.ts";
import { Tensorflow } from "./tensorflow.ts";

/** A launch for each of so many numbers, four at a time where they come so; `count` is the kernel's parameter. */
export function layElementwise<P extends string, B extends string>(
  kernel: Kernel<P, B>,
  size: number,
) {
  const isQuad = size % 4 === 0;
  const count = isQuad ? size / 4 : size;
  return {
    kernel: kernel.shape({ quads: isQuad ? ["numbers"] : [] }),
    count,
    workgroups: Math.ceil(count / 256),
  };
}

/** Runs a kernel whose one parameter is `count` for every number of tensors of one shape. */
export function launchElementwise<B extends string>(
  kernel: Kernel<"count", B>,
  tensors: Readonly<Record<B, tf.TensorInfo>>,
  { shape }: tf.TensorInfo,
): void {
  const launch = layElementwise(kernel, tf.util.sizeFromShape(shape));
  Tensorflow.current.launch(launch.kernel, { count: launch.count }, tensors, launch.workgroups);
}
