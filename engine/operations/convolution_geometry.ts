/**
 * Sizes of convolutions, and the refusal of those that the kernels cannot compute.
 *
 * @module
 */
import { LayerError } from "../errors.ts";
import { countFilterSteps, countSteps } from "./convolution_launch.ts";

/** One number for both axes, or one for the rows and one for the columns. */
export type PerAxis = number | readonly [rows: number, columns: number];

/** Rows and columns that are added around an image: one number for every side, `[rows, columns]`, or one for each side. */
export type Padding =
  | PerAxis
  | readonly [top: number, right: number, bottom: number, left: number];

/** How a filter moves over an image, and which channels it sees. */
export interface ConvolutionAttributes {
  /** Pixels from one output position to the next. Default 1. */
  readonly stride?: PerAxis;
  /** Zeros around the image. Default 0. */
  readonly pad?: Padding;
  /** Pixels from one filter tap to the next. Default 1. */
  readonly dilation?: PerAxis;
  /** Number of groups of channels: the outputs of a group see its inputs alone. Default 1. */
  readonly groups?: number;
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
  readonly stride_y: number;
  readonly stride_x: number;
  readonly pad_top: number;
  readonly pad_right: number;
  readonly pad_bottom: number;
  readonly pad_left: number;
  readonly dilation_y: number;
  readonly dilation_x: number;
  readonly groups: number;
}

/** Counts the FLOP of a convolution of one image; as many as either of its gradients takes. */
export function countConvolutionFlops(
  geometry: Pick<
    ConvolutionGeometry,
    | "out_height"
    | "out_width"
    | "out_channels"
    | "kernel_height"
    | "kernel_width"
    | "in_channels"
    | "groups"
  >,
): number {
  const { out_height, out_width, out_channels, groups } = geometry;
  const { kernel_height, kernel_width, in_channels } = geometry;
  return 2 * out_height * out_width * out_channels * kernel_height * kernel_width * in_channels /
    groups;
}

/** Most steps of all loops of an invocation together: lavapipe silently ends them there. */
export const LOOP_STEPS = 65_535;

type Placement = Pick<
  ConvolutionGeometry,
  | "stride_y"
  | "stride_x"
  | "pad_top"
  | "pad_right"
  | "pad_bottom"
  | "pad_left"
  | "dilation_y"
  | "dilation_x"
>;

function splitAxes(value: PerAxis): readonly [rows: number, columns: number] {
  return typeof value === "number" ? [value, value] : value;
}

function placeFilter(
  { stride = 1, pad = 0, dilation = 1 }: ConvolutionAttributes,
): Placement {
  const [stride_y, stride_x] = splitAxes(stride);
  const [dilation_y, dilation_x] = splitAxes(dilation);
  const [pad_top, pad_right, pad_bottom, pad_left] = typeof pad === "number"
    ? [pad, pad, pad, pad]
    : pad.length === 2
    ? [...pad, ...pad]
    : pad;
  return {
    stride_y,
    stride_x,
    pad_top,
    pad_right,
    pad_bottom,
    pad_left,
    dilation_y,
    dilation_x,
  };
}

/** Returns the attributes that a geometry was inferred from. */
export function readAttributes(geometry: ConvolutionGeometry): ConvolutionAttributes {
  return {
    stride: [geometry.stride_y, geometry.stride_x],
    pad: [geometry.pad_top, geometry.pad_right, geometry.pad_bottom, geometry.pad_left],
    dilation: [geometry.dilation_y, geometry.dilation_x],
    groups: geometry.groups,
  };
}

/** Formats an option that has one number for each axis or side, as one number where they are equal. */
function describeNumbers(values: number | readonly number[]): string {
  const list = [values].flat();
  return new Set(list).size === 1 ? `${list[0]}` : `[${list.join(", ")}]`;
}

/**
 * Refuses a filter that does not fit into the padded image.
 *
 * @param inShape `[N, height, width, channels]`
 * @param filterShape `[kernel height, kernel width, in channels / groups, out channels]`
 * @param layer the layer's name, for the error
 * @returns height and width of the output
 * @throws {LayerError} if the image is smaller than the filter.
 */
function checkWindow(
  [, height, width]: readonly number[],
  [kernelHeight, kernelWidth]: readonly number[],
  attributes: ConvolutionAttributes,
  layer: string,
): [outHeight: number, outWidth: number] {
  const { pad = 0, dilation = 1 } = attributes;
  const place = placeFilter(attributes);
  const room = [
    height + place.pad_top + place.pad_bottom,
    width + place.pad_left + place.pad_right,
  ];
  const reach = [
    (kernelHeight - 1) * place.dilation_y + 1,
    (kernelWidth - 1) * place.dilation_x + 1,
  ];
  const strides = [place.stride_y, place.stride_x];
  const [outHeight, outWidth] = room.map((size, axis) =>
    Math.floor((size - reach[axis]) / strides[axis]) + 1
  );
  if (outHeight >= 1 && outWidth >= 1) return [outHeight, outWidth];
  const isDilated = describeNumbers(dilation) !== "1";
  const most = isDilated || new Set(room).size > 1 && kernelHeight !== kernelWidth
    ? `at most ${room.join(" x ")} of the ${reach.join(" x ")} that the filter spans`
    : `at most ${Math.min(...room)}`;
  const size = describeNumbers([kernelHeight, kernelWidth]);
  throw new LayerError(
    layer,
    "size",
    `Cannot use ${describeLayer(layer)}: got size ${size}${
      isDilated ? ` of dilation ${describeNumbers(dilation)}` : ""
    } on ${height} x ${width} pixels padded by ${describeNumbers(pad)}, need ${most}; lower size ${
      isDilated ? "or dilation, " : ""
    }or raise pad`,
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
 * @param filterShape `[kernel height, kernel width, in channels / groups, out channels]`
 * @param layer the layer's name, for the error
 * @throws {LayerError} if the groups do not divide the channels, the image is smaller than the filter, or either is so large that an invocation
 * would exceed {@linkcode LOOP_STEPS}.
 */
export function inferConvolutionGeometry(
  inShape: readonly number[],
  filterShape: readonly number[],
  attributes: ConvolutionAttributes,
  layer = NAMELESS,
): ConvolutionGeometry {
  const [, in_height, in_width, in_channels] = inShape;
  const [kernel_height, kernel_width, , out_channels] = filterShape;
  const { pad = 0, groups = 1 } = attributes;
  checkGroups(in_channels, out_channels, groups, layer);
  const [out_height, out_width] = checkWindow(inShape, filterShape, attributes, layer);
  const place = placeFilter(attributes);
  const { stride_y, stride_x, dilation_x } = place;
  const refuse = (option: string, got: string, steps: number, mend: string) =>
    new LayerError(
      layer,
      option,
      `Cannot use ${
        describeLayer(layer)
      }: got ${got}, which takes loops of ${steps} steps, need at most ${LOOP_STEPS}; ${mend}`,
    );
  const filter = `size ${describeNumbers([kernel_height, kernel_width])}`;
  const countLoops = (filter_channels: number) =>
    countSteps({ kernel_height, kernel_width, dilation_x, filter_channels });
  const inSteps = countLoops(in_channels / groups);
  if (inSteps > LOOP_STEPS) {
    throw refuse("size", `${filter} over ${in_channels} channels`, inSteps, "lower size");
  }
  const outSteps = countLoops(out_channels / groups);
  if (outSteps > LOOP_STEPS) {
    const got = `filters ${out_channels} of ${filter}`;
    throw refuse("filters", got, outSteps, "lower filters or size");
  }
  const steps = countFilterSteps(out_height, out_width, stride_x);
  if (steps > LOOP_STEPS) {
    const [pixels, output] = [[in_height, in_width], [out_height, out_width]].map((sides) =>
      sides.join(" x ")
    );
    const [rows, columns] = [
      [in_height, kernel_height, stride_y],
      [in_width, kernel_width, stride_x],
    ].map(([size, kernel, stride]) => Math.floor((size - kernel) / stride) + 1);
    // whether the image would fit without its padding
    const isPadding = rows < 1 || columns < 1 ||
      countFilterSteps(rows, columns, stride_x) <= LOOP_STEPS;
    const got = `${pixels} pixels, an output of ${output}`;
    throw isPadding
      ? refuse("pad", `pad ${describeNumbers(pad)} on ${got}`, steps, "lower pad")
      : refuse("x", `x of ${got}`, steps, "raise stride or take smaller images");
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
    ...place,
    groups,
  };
}

/**
 * Refuses groups that do not divide a convolution's input and output channels.
 *
 * @throws {LayerError} if they do not.
 */
export function checkGroups(inputs: number, outputs: number, groups: number, layer: string): void {
  if (inputs % groups === 0 && outputs % groups === 0) return;
  const [got, mend] = inputs % groups !== 0
    ? [`an input of ${inputs} channels`, "a divisor of both"]
    : [`filters ${outputs}`, `filters that are a multiple of ${groups}`];
  throw new LayerError(
    layer,
    "groups",
    `Cannot use ${describeLayer(layer)}: got groups ${groups} and ${got}, need ${mend}`,
  );
}
