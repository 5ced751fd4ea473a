/**
 * Launches of elementwise kernels.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Kernel } from "../gpu/kernel.ts";
import { Tensorflow } from "./tensorflow.ts";

/** Plans a launch over `size` values, as vec4s where it is a multiple of 4; `count` is the kernel's parameter, its number of elements. */
export function planElementwiseLaunch<P extends string, B extends string>(
  kernel: Kernel<P, B>,
  size: number,
) {
  const isVec4 = size % 4 === 0;
  const count = isVec4 ? size / 4 : size;
  return {
    kernel: kernel.shape({ vec4s: isVec4 ? ["elements"] : [] }),
    count,
    workgroups: Math.ceil(count / 256),
  };
}

/** Runs a kernel whose one parameter is `count` over all elements of tensors of one shape. */
export function launchElementwise<B extends string>(
  kernel: Kernel<"count", B>,
  tensors: Readonly<Record<B, tf.TensorInfo>>,
  { shape }: tf.TensorInfo,
): void {
  const launch = planElementwiseLaunch(kernel, tf.util.sizeFromShape(shape));
  Tensorflow.current.launch(launch.kernel, { count: launch.count }, tensors, launch.workgroups);
}
