/**
 * Choice of the storage that an adapter reads operands from faster: buffers, or copies in textures. It is measured once and remembered.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import type { Gpu } from "../gpu/device.ts";
import { countConvolutionFlops } from "../operations/convolution_geometry.ts";
import { planConvolutionLaunch } from "../operations/convolution_launch.ts";
import { clockOf, type Measurement, recall, timeRepetitions } from "./measurement.ts";
import type { OperandStorage } from "../gpu/panels.ts";

/** Times of a convolution in milliseconds, including copies to textures, by the storage of its operands. */
export type OperandTimes = Readonly<Record<"buffer" | "texture", number>>;

/** Sizes of LeNet-5's second convolution, of 128 images. */
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
  groups: 1,
  stride_y: 1,
  stride_x: 1,
  dilation_y: 1,
  dilation_x: 1,
  pad_top: 0,
  pad_left: 0,
  step_y: 1,
  step_x: 1,
  first_row: 0,
  first_column: 0,
  has_bias: 1,
} as const;

/** FLOP of it. */
const FLOPS = CONVOLUTION.sample_count * countConvolutionFlops(CONVOLUTION);

const CLOCK = clockOf(60);

/** Number of measurements of each storage. */
const TURNS = 3;

const { kernel, params, workgroups } = planConvolutionLaunch(CONVOLUTION);

const OPERAND_TIMES: Measurement<OperandTimes> = {
  name: "operand storage",
  shaders: () => [kernel.expand({ panels: "buffer", operands: "buffer", subgroups: false })],
  schema: z.object({ buffer: z.number().positive(), texture: z.number().positive() }),
  // the least of some measurements in turns: other work on the machine can slow one down several times, and the choice is remembered
  measure: async (gpu) => {
    const least = { buffer: Infinity, texture: Infinity };
    for (let turn = 0; turn < TURNS; turn++) {
      for (const storage of ["buffer", "texture"] as const) {
        least[storage] = Math.min(least[storage], await timeConvolution(gpu, storage));
      }
    }
    return least;
  },
};

/**
 * Lets a device read operands from the faster storage, and sets its rate of convolutions.
 *
 * @param options.fresh measures again, whatever is remembered
 * @returns times that the choice was made by
 * @throws {DeviceError} if the device fails.
 */
export async function chooseOperandStorage(
  gpu: Gpu,
  options?: { fresh?: boolean },
): Promise<OperandTimes> {
  const times = await recall(gpu, OPERAND_TIMES, options);
  gpu.operandStorage = gpu.hasTextures && times.texture < times.buffer ? "texture" : "buffer";
  const convolutions = FLOPS / times[gpu.operandStorage];
  // products are no slower
  gpu.rates = { ...gpu.rates, convolutions, products: Math.max(gpu.rates.products, convolutions) };
  return times;
}

/** Measures the milliseconds of one launch of the convolution, including copies to textures. */
export async function timeConvolution(
  gpu: Gpu,
  storage: OperandStorage,
  clock = CLOCK,
): Promise<number> {
  const { sample_count, in_height, in_width, in_channels } = CONVOLUTION;
  const { out_height, out_width, out_channels, kernel_height, kernel_width } = CONVOLUTION;
  const positions = sample_count * out_height * out_width;
  const channelBlocks = Math.ceil(out_channels / 8);
  const inputs = gpu.createBuffer("inputs", sample_count * in_height * in_width * in_channels * 4);
  const taps = kernel_height * kernel_width * in_channels + 1; // the last is the bias
  const filters = gpu.createBuffer("filters", taps * channelBlocks * 8 * 4);
  const outputs = gpu.createBuffer("outputs", positions * out_channels * 4);
  const before = gpu.operandStorage;
  gpu.operandStorage = storage;
  try {
    const commands = gpu.record();
    return await timeRepetitions(gpu, clock, (count) => {
      for (let i = 0; i < count; i++) {
        const ms = FLOPS / gpu.rates.convolutions;
        commands.run(kernel, params, { inputs, filters, outputs }, workgroups, ms);
      }
      commands.submit();
    });
  } finally {
    gpu.operandStorage = before;
    for (const buffer of [inputs, filters, outputs]) gpu.destroyBuffer(buffer);
  }
}
