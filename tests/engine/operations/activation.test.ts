/** Relu and max pooling, forward and backward, against their float64 twins: they select values, so that every bit agrees. @module */
import type { Kernel } from "../../../engine/gpu/kernel.ts";
import { kernels } from "../../../shaders/kernel_table.ts";
import { planPoolLaunches } from "../../../engine/operations/pool_kernels.ts";
import { planElementwiseLaunch } from "../../../engine/operations/elementwise.ts";
import {
  maxPool,
  maxPoolGradient,
  reluForward,
  reluGradient,
} from "../../../engine/reference/pointwise.ts";
import { type Numbers, sizeOf } from "../../../engine/reference/tensor.ts";
import {
  assertOutput,
  drawIntegers,
  drawNumbers,
  type Floats,
  launchTwice,
  testGpu,
} from "../gpu/open.ts";

type Drawn = Numbers & { data: Floats };

/** Draws integers from -3 to 3, so that maxima tie and zeros occur. */
function draw(seed: number, shape: readonly number[]): Drawn {
  return { shape, data: drawIntegers(seed, sizeOf(shape)) };
}

// an invocation handles 4 elements, or 16 as four vec4f
for (const count of [1, 3, 4, 5, 255, 256, 257, 4_096, 4_097, 10_007, 10_012]) {
  testGpu(`relu and its gradient agree with their twins: ${count} numbers`, async (gpu) => {
    const x = draw(1, [count]);
    const run = <B extends string>(
      kernel: Kernel<"count", B>,
      contents: Readonly<Record<B, Floats | { unfilled: number }>>,
    ) => {
      const launch = planElementwiseLaunch(kernel, count);
      return launchTwice(gpu, launch.kernel, { count: launch.count }, contents, launch.workgroups);
    };
    const unfilled = { unfilled: count };
    const { outputs } = await run(kernels.relu, { inputs: x.data, outputs: unfilled });
    const y = reluForward(x);
    assertOutput(outputs, y.data, () => 0, "outputs");
    const dy = { shape: [count], data: drawNumbers(2, count) };
    const { gradients } = await run(kernels.relu_gradient, {
      outputs: Float32Array.from(y.data),
      deltas: dy.data,
      gradients: unfilled,
    });
    assertOutput(gradients, reluGradient(y, dy).data, () => 0, "gradients");
  });
}

for (
  const [size, ...shape] of [
    [1, 1, 1, 1, 1],
    [2, 1, 2, 2, 1],
    [2, 3, 4, 6, 3],
    [2, 2, 7, 5, 2],
    [3, 2, 8, 3, 5],
    [3, 1, 10, 11, 1],
    [4, 5, 9, 4, 2],
    [2, 64, 2, 2, 1],
    [2, 3, 5, 4, 8],
    [3, 2, 7, 6, 9],
    [2, 13, 14, 14, 6],
    [2, 3, 7, 8, 16],
    [2, 2, 6, 5, 12],
    [4, 1, 9, 12, 17],
    [13, 2, 27, 26, 3],
    [1, 193, 1, 1, 1],
  ]
) {
  testGpu(
    `max_pool and max_pool_gradient agree with their twins: ${shape.join("x")}, windows of ${size}`,
    async (gpu) => {
      const { forward, gradient } = planPoolLaunches(shape, size);
      const x = draw(1, shape);
      const y = maxPool(x, size);
      const { outputs } = await launchTwice(
        gpu,
        forward.kernel,
        forward.params,
        { inputs: x.data, outputs: { unfilled: y.data.length } },
        forward.workgroups,
      );
      assertOutput(outputs, y.data, () => 0, "outputs");
      const dy = { shape: y.shape, data: drawNumbers(2, y.data.length) };
      const { gradients } = await launchTwice(
        gpu,
        gradient.kernel,
        gradient.params,
        { inputs: x.data, deltas: dy.data, gradients: { unfilled: x.data.length } },
        gradient.workgroups,
      );
      assertOutput(gradients, maxPoolGradient(x, dy, size).data, () => 0, "gradients");
    },
  );
}
