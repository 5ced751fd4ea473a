/** The loss, its gradient and the step that follows it, against their float64 twins. @module */
import { kernels } from "../../../shaders/kernel_table.ts";
import { planElementwiseLaunch } from "../../../engine/operations/elementwise.ts";
import {
  crossEntropy,
  crossEntropyGradient,
  momentumStep,
} from "../../../engine/reference/pointwise.ts";
import { dotBound, UNIT_ROUNDOFF } from "../../../engine/reference/numbers.ts";
import { assertOutput, drawNumbers, launchTwice, testGpu } from "../gpu/open.ts";

for (
  const [samples, classes, scale] of [
    [1, 1, 1],
    [1, 2, 1],
    [63, 10, 4],
    [64, 3, 40],
    [65, 7, 4],
    [1_009, 10, 100],
  ]
) {
  testGpu(
    `cross_entropy and its gradient agree with their twins: ${samples} x ${classes}, up to ${scale}`,
    async (gpu) => {
      const data = drawNumbers(1, samples * classes).map((value) => scale * value);
      const logits = { shape: [samples, classes], data };
      const labels = Float32Array.from({ length: samples }, (_, n) => (7 * n + 1) % classes);
      const deltas = drawNumbers(2, samples);
      const params = { sample_count: samples, classes };
      const workgroups = Math.ceil(samples / 64);
      // WGSL: exp is off by up to 3 + 2 |x| units in the last place, of 2 round-offs each, and log by 2^-21 near 1
      const sumError = dotBound(classes, 1) + (3 + 4 * scale) * 2 * UNIT_ROUNDOFF +
        UNIT_ROUNDOFF * 2 * scale;
      const { losses } = await launchTwice(
        gpu,
        kernels.cross_entropy,
        params,
        { logits: data, labels, losses: { unfilled: samples } },
        workgroups,
      );
      const lossError = sumError + 2 ** -21 + 3 * 2 * UNIT_ROUNDOFF * Math.log(classes) +
        dotBound(3, 4 * scale + Math.log(classes));
      assertOutput(losses, crossEntropy(logits, labels).data, () => lossError, "losses");
      const { gradients } = await launchTwice(
        gpu,
        kernels.cross_entropy_gradient,
        params,
        { logits: data, labels, deltas, gradients: { unfilled: samples * classes } },
        workgroups,
      );
      assertOutput(
        gradients,
        crossEntropyGradient(logits, labels, deltas).data,
        // two exponentials and a division, off by 2.5 units, then a difference and a product
        (i) => (2 * sumError + 8 * UNIT_ROUNDOFF) * Math.abs(deltas[Math.floor(i / classes)]),
        "gradients",
      );
    },
  );
}

testGpu(
  "cross_entropy and its gradient keep their digits for samples that are all but certain",
  async (gpu) => {
    // the label's logit is ahead of two others by 0 to 80, or behind them
    const gaps = Float32Array.from({ length: 400 }, (_, i) => (i - 40) / 4.5);
    const [samples, classes] = [gaps.length, 3];
    const data = Float32Array.from([...gaps].flatMap((gap) => [-1, gap - 1, -1.5]));
    const logits = { shape: [samples, classes], data };
    const labels = new Float32Array(samples).fill(1);
    const deltas = new Float32Array(samples).fill(0.25);
    const params = { sample_count: samples, classes };
    // WGSL: an exponential is off by up to 3 + 2 |x| units in the last place, of 2 round-offs each; a difference before it, by one of the larger
    const relative = (n: number) =>
      2 * (3 + 3 * (Math.abs(gaps[n]) + 1)) * 2 * UNIT_ROUNDOFF + 2 ** -21;
    const { losses } = await launchTwice(
      gpu,
      kernels.cross_entropy,
      params,
      { logits: data, labels, losses: { unfilled: samples } },
      Math.ceil(samples / 64),
    );
    const expected = crossEntropy(logits, labels).data;
    assertOutput(losses, expected, (n) => relative(n) * expected[n], "losses");
    const { gradients } = await launchTwice(
      gpu,
      kernels.cross_entropy_gradient,
      params,
      { logits: data, labels, deltas, gradients: { unfilled: samples * classes } },
      Math.ceil(samples / 64),
    );
    const slopes = crossEntropyGradient(logits, labels, deltas).data;
    assertOutput(
      gradients,
      slopes,
      (i) => relative(Math.floor(i / classes)) * Math.abs(slopes[i]),
      "gradients",
    );
  },
);

// an invocation handles 4 elements, or 16 as four vec4f
for (const size of [1, 63, 64, 65, 256, 1_028, 4_097, 10_007, 10_012]) {
  testGpu(`momentum_step agrees with its twin: ${size} weights`, async (gpu) => {
    const [weights, velocities, gradients] = [1, 2, 3].map((seed) => drawNumbers(seed, size));
    const rates = [0.05, 0.9, 0.01].map(Math.fround);
    const [learningRate, momentum, weightDecay] = rates;
    const { kernel, count, workgroups } = planElementwiseLaunch(kernels.momentum_step, size);
    const outputs = await launchTwice(
      gpu,
      kernel,
      { count, learning_rate: learningRate, momentum, weight_decay: weightDecay },
      { gradients, weights, velocities },
      workgroups,
    );
    const expected = momentumStep(weights, velocities, gradients, {
      learningRate,
      momentum,
      weightDecay,
    });
    const magnitude = (i: number) =>
      Math.abs(momentum * velocities[i]) + Math.abs(gradients[i]) +
      Math.abs(weightDecay * weights[i]);
    assertOutput(
      outputs.velocities,
      expected.velocities,
      (i) => dotBound(4, magnitude(i)),
      "velocities",
    );
    assertOutput(
      outputs.weights,
      expected.weights,
      (i) => dotBound(6, Math.abs(weights[i]) + learningRate * magnitude(i)),
      "weights",
    );
  });
}
