/**
 * Where an adapter reads operands faster: from their buffers, or from copies in textures. Measured once, and remembered.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import type { Gpu } from "../gpu/device.ts";
import { planConvolutionLaunch } from "../operations/convolution_launch.ts";
import { clockOf, type Measurement, recall, timeRepetitions } from "./measurement.ts";
import type { OperandStorage } from "../gpu/panels.ts";

/** Milliseconds of a convolution, the copies among them, by where its operands are read. */
export type OperandTimes = Readonly<Record<"buffer" | "texture", number>>;

/** LeNet-5's second convolution of 128 images. */
const CONVOLUTION = {
  sample_count: 128,
  in_height: 14,
  in_width: 14,
  in_channels: 6,
  out_height: 10,
  out_width: 10,
  out_channels: 16,
  kernel_height: 5,
  kernel_width: 5,
  stride: 1,
  pad_top: 0,
  pad_left: 0,
  step: 1,
  first_row: 0,
  first_column: 0,
  has_bias: 1,
} as const;

const CLOCK = clockOf(60);

/** Measurements of each place. */
const TURNS = 3;

const { kernel, params, workgroups } = planConvolutionLaunch(CONVOLUTION);

const OPERAND_TIMES: Measurement<OperandTimes> = {
  name: "operand storage",
  shaders: () => [kernel.expand({ panels: "buffer", operands: "buffer", subgroups: false })],
  schema: z.object({ buffer: z.number().positive(), texture: z.number().positive() }),
  // the least of some in turns: what else runs on a machine can slow down one of them several times, and the choice is remembered
  measure: async (gpu) => {
    const least = { buffer: Infinity, texture: Infinity };
    for (let turn = 0; turn < TURNS; turn++) {
      for (const place of ["buffer", "texture"] as const) {
        least[place] = Math.min(least[place], await measureConvolution(gpu, place));
      }
    }
    return least;
  },
};

/**
 * Lets a device read operands where that is faster.
 *
 * @param fresh measure again whatever is remembered
 * @returns what was measured
 * @throws {DeviceError} if the device fails.
 */
export async function chooseOperandStorage(
  gpu: Gpu,
  options?: { fresh?: boolean },
): Promise<OperandTimes> {
  const times = await recall(gpu, OPERAND_TIMES, options);
  gpu.operandStorage = times.texture < times.buffer ? "texture" : "buffer";
  return times;
}

/** Milliseconds of one launch, the copies among them. */
export async function measureConvolution(
  gpu: Gpu,
  storage: OperandStorage,
  clock = CLOCK,
): Promise<number> {
  const { sample_count, in_height, in_width, in_channels } = CONVOLUTION;
  const { out_height, out_width, out_channels, kernel_height, kernel_width } = CONVOLUTION;
  const positions = sample_count * out_height * out_width;
  const octets = Math.ceil(out_channels / 8);
  const inputs = gpu.createBuffer("inputs", sample_count * in_height * in_width * in_channels * 4);
  const taps = kernel_height * kernel_width * in_channels + 1; // the last is the bias
  const filters = gpu.createBuffer("filters", taps * octets * 8 * 4);
  const outputs = gpu.createBuffer("outputs", positions * out_channels * 4);
  const before = gpu.operandStorage;
  gpu.operandStorage = storage;
  try {
    const commands = gpu.record();
    return await timeRepetitions(gpu, clock, (count) => {
      for (let i = 0; i < count; i++) {
        commands.run(kernel, params, { inputs, filters, outputs }, workgroups);
      }
      commands.submit();
    });
  } finally {
    gpu.operandStorage = before;
    for (const buffer of [inputs, filters, outputs]) gpu.destroyBuffer(buffer);
  }
}
