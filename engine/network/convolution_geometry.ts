/**
 * Sizes of a convolution, and what is refused because of them.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import { countFilterSteps, countSteps } from "./convolution_launch.ts";

/** Stride and zero padding, the same along both axes. */
export interface ConvolutionAttributes {
  readonly stride: number;
  readonly pad: number;
}

/** Sizes of one convolution over `[N, in_height, in_width, in_channels]`, by the names that the kernels use. */
export interface ConvolutionGeometry {
  readonly in_height: number;
  readonly in_width: number;
  readonly in_channels: number;
  readonly out_height: number;
  readonly out_width: number;
  readonly out_channels: number;
  readonly kernel_height: number;
  readonly kernel_width: number;
  readonly stride: number;
  readonly pad: number;
}

/** Steps of all loops of an invocation together: lavapipe ends longer ones there, without a word. */
export const LOOP_STEPS = 65_535;

/**
 * Refuses a filter that does not fit into the padded image.
 *
 * @param inShape `[N, height, width, channels]`
 * @param filterShape `[kernel height, kernel width, in channels, out channels]`
 * @param layer its name, for the error
 * @returns height and width of the output
 * @throws {DataError} if the image is smaller than the filter.
 */
export function checkWindow(
  [, height, width]: readonly number[],
  [kernelHeight, kernelWidth]: readonly number[],
  { stride, pad }: ConvolutionAttributes,
  layer?: string,
): [outHeight: number, outWidth: number] {
  const outHeight = Math.floor((height + 2 * pad - kernelHeight) / stride) + 1;
  const outWidth = Math.floor((width + 2 * pad - kernelWidth) / stride) + 1;
  if (outHeight >= 1 && outWidth >= 1) return [outHeight, outWidth];
  throw new DataError(
    `Cannot convolve${
      describeLayer(layer)
    }: got ${height} x ${width} pixels padded by ${pad}, need at least the filter's ${kernelHeight} x ${kernelWidth}`,
  );
}

function describeLayer(name: string | undefined): string {
  return name === undefined ? "" : ` in layer '${name}'`;
}

/**
 * Sizes of a convolution.
 *
 * @param inShape `[N, height, width, channels]`
 * @param filterShape `[kernel height, kernel width, in channels, out channels]`
 * @param layer its name, for the error
 * @throws {DataError} if the image is smaller than the filter, or one of the two so large that an invocation would loop for too long.
 */
export function measureConvolution(
  inShape: readonly number[],
  filterShape: readonly number[],
  { stride, pad }: ConvolutionAttributes,
  layer?: string,
): ConvolutionGeometry {
  const [, in_height, in_width, in_channels] = inShape;
  const [kernel_height, kernel_width, , out_channels] = filterShape;
  const [out_height, out_width] = checkWindow(inShape, filterShape, { stride, pad }, layer);
  const steps = Math.max(
    countSteps(kernel_height, kernel_width, in_channels),
    countSteps(kernel_height, kernel_width, out_channels),
    countFilterSteps(out_height, out_width, stride),
  );
  if (steps > LOOP_STEPS) {
    throw new DataError(
      `Cannot convolve${describeLayer(layer)}: got ${in_height} x ${in_width} pixels and a filter ${
        filterShape.join(" x ")
      }, which take loops of ${steps} steps, need at most ${LOOP_STEPS}`,
    );
  }
  return {
    in_height,
    in_width,
    in_channels,
    out_height,
    out_width,
    out_channels,
    kernel_height,
    kernel_width,
    stride,
    pad,
  };
}
