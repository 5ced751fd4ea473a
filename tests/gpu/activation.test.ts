/** Relu and max pooling, forward and backward, against their float64 twins: they pick numbers, so every bit agrees. @module */
import { kernels } from "../../engine/gpu/kernel_table.ts";
import { maxPool, maxPoolGradient, reluForward, reluGradient } from "../oracle/layers.ts";
import { type Numbers, sizeOf } from "../oracle/tensor.ts";
import {
  assertOutput,
  drawIntegers,
  drawNumbers,
  type Floats,
  launchTwice,
  testGpu,
} from "./open.ts";

/** More windows than one dimension of a dispatch holds invocations. */
const MANY = 65_535 * 64 + 67;

type Drawn = Numbers & { data: Floats };

/** Whole numbers from -3 to 3, so that maxima tie and zeros come. */
function draw(seed: number, shape: readonly number[]): Drawn {
  return { shape, data: drawIntegers(seed, sizeOf(shape)) };
}

// an invocation makes 4 of these
for (const count of [1, 3, 4, 5, 255, 256, 257, 4_096, 4_097, 10_007, 4 * MANY]) {
  testGpu(`relu and its gradient agree with their twins: ${count} numbers`, async (gpu) => {
    const x = draw(1, [count]);
    const workgroups = Math.ceil(count / 256);
    const { outputs } = await launchTwice(
      gpu,
      kernels.relu,
      { count },
      { inputs: x.data, outputs: { unfilled: count } },
      workgroups,
    );
    const y = reluForward(x);
    assertOutput(outputs, y.data, () => 0, "outputs");
    const dy = { shape: [count], data: drawNumbers(2, count) };
    const { gradients } = await launchTwice(
      gpu,
      kernels.relu_gradient,
      { count },
      { outputs: Float32Array.from(y.data), deltas: dy.data, gradients: { unfilled: count } },
      workgroups,
    );
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
    [1, MANY, 1, 1, 1],
  ]
) {
  testGpu(
    `max_pool and max_pool_gradient agree with their twins: ${shape.join("x")}, windows of ${size}`,
    async (gpu) => {
      const [sample_count, in_height, in_width, channels] = shape;
      const params = { sample_count, in_height, in_width, channels, size };
      const x = draw(1, shape);
      const y = maxPool(x, size);
      const { outputs } = await launchTwice(
        gpu,
        kernels.max_pool,
        params,
        { inputs: x.data, outputs: { unfilled: y.data.length } },
        Math.ceil(y.shape[0] * y.shape[1] * y.shape[2] * Math.ceil(channels / 8) / 64),
      );
      assertOutput(outputs, y.data, () => 0, "outputs");
      const dy = { shape: y.shape, data: drawNumbers(2, y.data.length) };
      const windows = sample_count * Math.ceil(in_height / size) * Math.ceil(in_width / size);
      const { gradients } = await launchTwice(
        gpu,
        kernels.max_pool_gradient,
        params,
        { inputs: x.data, deltas: dy.data, gradients: { unfilled: x.data.length } },
        Math.ceil(windows * Math.ceil(channels / 8) / 64),
      );
      assertOutput(gradients, maxPoolGradient(x, dy, size).data, () => 0, "gradients");
    },
  );
}
