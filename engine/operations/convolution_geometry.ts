/**
 * Sizes of convolutions, and the refusal of those that the kernels cannot compute.
 *
 * @module
 */
import { LayerError } from "../errors.ts";
import { countFilterSteps, countSteps } from "./convolution_launch.ts";

/** Stride and zero padding, the same along both axes. */
export interface ConvolutionAttributes {
  readonly stride: number;
  readonly pad: number;
}

/** Sizes of one convolution over `[N, in_height, in_width, in_channels]`, named as in the kernels' parameters. */
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

/** FLOP of a convolution of one image; as many as either of its gradients takes. */
export function countConvolutionFlops(
  geometry: Pick<
    ConvolutionGeometry,
    "out_height" | "out_width" | "out_channels" | "kernel_height" | "kernel_width" | "in_channels"
  >,
): number {
  const { out_height, out_width, out_channels } = geometry;
  const { kernel_height, kernel_width, in_channels } = geometry;
  return 2 * out_height * out_width * out_channels * kernel_height * kernel_width * in_channels;
}

/** Most steps of all loops of an invocation together: lavapipe silently ends them there. */
export const LOOP_STEPS = 65_535;

/**
 * Refuses a filter that does not fit into the padded image.
 *
 * @param inShape `[N, height, width, channels]`
 * @param filterShape `[kernel height, kernel width, in channels, out channels]`
 * @param layer the layer's name, for the error
 * @returns height and width of the output
 * @throws {LayerError} if the image is smaller than the filter.
 */
function checkWindow(
  [, height, width]: readonly number[],
  [kernelHeight, kernelWidth]: readonly number[],
  { stride, pad }: ConvolutionAttributes,
  layer = NAMELESS,
): [outHeight: number, outWidth: number] {
  const outHeight = Math.floor((height + 2 * pad - kernelHeight) / stride) + 1;
  const outWidth = Math.floor((width + 2 * pad - kernelWidth) / stride) + 1;
  if (outHeight >= 1 && outWidth >= 1) return [outHeight, outWidth];
  const most = Math.min(height, width) + 2 * pad;
  throw new LayerError(
    layer,
    "size",
    `Cannot use ${describeLayer(layer)}: got size ${
      Math.max(kernelHeight, kernelWidth)
    } on ${height} x ${width} pixels padded by ${pad}, need at most ${most}; lower size or raise pad`,
  );
}

/** Name in errors of a convolution that is no layer of a definition. */
const NAMELESS = "convolution";

function describeLayer(name: string): string {
  return name === NAMELESS ? name : `layer '${name}'`;
}

/**
 * Infers the sizes of a convolution, its output's among them.
 *
 * @param inShape `[N, height, width, channels]`
 * @param filterShape `[kernel height, kernel width, in channels, out channels]`
 * @param layer the layer's name, for the error
 * @throws {LayerError} if the image is smaller than the filter, or either is so large that an invocation would exceed {@linkcode LOOP_STEPS}.
 */
export function inferConvolutionGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  { stride, pad }: ConvolutionAttributes,
  layer = NAMELESS,
): ConvolutionGeometry {
  const [, in_height, in_width, in_channels] = inShape;
  const [kernel_height, kernel_width, , out_channels] = filterShape;
  const [out_height, out_width] = checkWindow(inShape, filterShape, { stride, pad }, layer);
  const refuse = (option: string, got: string, steps: number, mend: string) =>
    new LayerError(
      layer,
      option,
      `Cannot use ${
        describeLayer(layer)
      }: got ${got}, which takes loops of ${steps} steps, need at most ${LOOP_STEPS}; ${mend}`,
    );
  const filter = `size ${Math.max(kernel_height, kernel_width)}`;
  const inSteps = countSteps(kernel_height, kernel_width, in_channels);
  if (inSteps > LOOP_STEPS) {
    throw refuse("size", `${filter} over ${in_channels} channels`, inSteps, "lower size");
  }
  const outSteps = countSteps(kernel_height, kernel_width, out_channels);
  if (outSteps > LOOP_STEPS) {
    const got = `filters ${out_channels} of ${filter}`;
    throw refuse("filters", got, outSteps, "lower filters or size");
  }
  const steps = countFilterSteps(out_height, out_width, stride);
  if (steps > LOOP_STEPS) {
    const [pixels, output] = [[in_height, in_width], [out_height, out_width]].map((sides) =>
      sides.join(" x ")
    );
    const [rows, columns] = [[in_height, kernel_height], [in_width, kernel_width]].map((
      [size, kernel],
    ) => Math.floor((size - kernel) / stride) + 1);
    // whether the image would fit without its padding
    const isPadding = rows < 1 || columns < 1 ||
      countFilterSteps(rows, columns, stride) <= LOOP_STEPS;
    throw isPadding
      ? refuse("pad", `pad ${pad} on ${pixels} pixels, an output of ${output}`, steps, "lower pad")
      : refuse(
        "x",
        `x of ${pixels} pixels, an output of ${output}`,
        steps,
        "raise stride or take smaller images",
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
