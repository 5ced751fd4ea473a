/**
 * Launches of the convolution kernels: the tile that is chosen for a layer, and the number of workgroups.
 *
 * @module
 */
import type { Kernel, ParamValues } from "../gpu/kernel.ts";
import { kernels } from "../../shaders/kernel_table.ts";

/** A launch of a kernel, without its buffers. */
export interface Launch<P extends string, B extends string> {
  readonly kernel: Kernel<P, B>;
  readonly params: ParamValues<P>;
  readonly workgroups: number;
}

type Launched<K> = K extends Kernel<infer P, infer B> ? Launch<P, B> : never;
type ParamsOf<K> = K extends Kernel<infer P, string> ? ParamValues<P> : never;

/** Sizes that are compiled into a kernel: input rows and columns between neighbouring output positions, and between those of a filter. */
type Steps = Readonly<Record<"stride_y" | "stride_x" | "dilation_y" | "dilation_x", number>>;

/** Parameters of a launch of `convolution` that the caller chooses, and the sizes that are compiled into it. */
export type ConvolutionSizes =
  & Omit<ParamsOf<typeof kernels.convolution>, keyof ChannelSizes>
  & Steps;

/** Most neighbouring positions of an output row that an invocation computes. */
const MAX_POSITIONS = 8;

/** Most input columns that it reads for them in a step: the work on each is unrolled. */
const MAX_WINDOW = 128;

/** Most filter columns (taps) that it takes in one step. */
const MAX_TAPS = 5;

/** Most filter columns times input channels that it takes in one step where channels are read one by one. */
const MAX_STEP = 15;

/** Most output channels that it computes. */
export const CHANNEL_BLOCK = 8;

/** Neighbouring invocations of `convolution` that read the same filters. */
const LANES = 16;

/** Steps whose products `filter_gradient` sums before it adds them to its total. */
const FILTER_PART_STEPS = 32;

/** Most bytes of inputs and output gradients that interleaved groups of `filter_gradient` read: half of a core's second-level cache. */
const INTERLEAVED_BYTES = 2 ** 20;

/** Plans a launch of `convolution`. A 1 x 1 filter of stride 1 without padding runs over all samples as one image row. */
export function planConvolutionLaunch(
  given: ConvolutionSizes,
): Launched<typeof kernels.convolution> {
  const isPointwise = isPointwiseFilter(given) && given.step_y === 1 && given.step_x === 1;
  const { isDepthwise, ...grouping } = groupChannels(given);
  const params = { ...(isPointwise ? joinSamples(given) : given), ...grouping };
  const rows = Math.ceil((params.out_height - params.first_row) / params.step_y);
  const columns = Math.ceil((params.out_width - params.first_column) / params.step_x);
  const positions = isPointwise ? MAX_POSITIONS : chooseRun(columns, params.stride_x);
  const step = chooseStep(params, isDepthwise);
  const runs = params.sample_count * rows * Math.ceil(columns / positions);
  return {
    kernel: kernels.convolution.shape({
      constants: {
        ...listSteps(params),
        POSITIONS: positions,
        TAPS: step.taps,
        CHANNELS: step.channels,
        OUTPUTS: Math.min(CHANNEL_BLOCK, params.group_outputs),
        GROUPED: params.groups > 1 ? 1 : 0,
        DEPTHWISE: isDepthwise ? 1 : 0,
      },
      vec4s: step.isVec4 ? ["inputs"] : [],
    }),
    params,
    workgroups: Math.ceil(
      Math.ceil(runs / LANES) * params.groups * Math.ceil(params.group_outputs / CHANNEL_BLOCK) *
        LANES / 64,
    ),
  };
}

/** Parameters of both kernels that follow from the numbers of channels and groups. */
interface ChannelSizes {
  readonly group_inputs: number;
  readonly group_outputs: number;
  /** Number of input channels that a filter sees. */
  readonly filter_channels: number;
}

/** Groups of channels as the kernels compute them. */
export interface Grouping extends ChannelSizes {
  readonly groups: number;
  /** Whether the convolution is depthwise and its channels are computed four at a time, as one group. */
  readonly isDepthwise: boolean;
}

/** Groups the channels of a convolution as the kernels compute them; those of a depthwise one are four together, where they are a multiple of four. */
export function groupChannels(
  { in_channels, out_channels, groups }: Pick<
    ConvolutionSizes,
    "in_channels" | "out_channels" | "groups"
  >,
): Grouping {
  const isDepthwise = groups === in_channels && groups === out_channels && groups % 4 === 0;
  const taken = isDepthwise ? groups / 4 : groups;
  return {
    groups: taken,
    group_inputs: in_channels / taken,
    group_outputs: out_channels / taken,
    filter_channels: in_channels / groups,
    isDepthwise,
  };
}

/** Parameters of a launch of `filter_gradient` that the caller chooses, and the sizes that are compiled into it. */
export type FilterGradientSizes =
  & Omit<ParamsOf<typeof kernels.filter_gradient>, keyof ChannelSizes | "row_part" | "together">
  & Steps
  & {
    /** Whether the gradient is added to what is there. Default: it takes its place. */
    readonly continues?: boolean;
  };

/** Plans a launch of `filter_gradient`. A 1 x 1 filter of stride 1 without padding runs over the samples of a group as one image row. */
export function planFilterGradientLaunch(
  { continues = false, ...given }: FilterGradientSizes,
): Launched<typeof kernels.filter_gradient> {
  const isPointwise = isPointwiseFilter(given);
  const row_part = isPointwise ? given.group_samples * given.in_height * given.in_width : 0;
  const together = given.group_stride === 1 ? chooseTogether(given) : 1;
  const { isDepthwise, ...grouping } = groupChannels(given);
  const { first, end } = given;
  const params = {
    ...(isPointwise ? joinSamples(given) : given),
    ...grouping,
    row_part,
    together,
  };
  const tile = chooseFilterTile(given, end - first);
  const { taps, channels, outputs, isVec4 } = tile;
  const hasVec4Deltas = params.group_outputs % 4 === 0;
  return {
    kernel: kernels.filter_gradient.shape({
      constants: {
        ...listSteps(params),
        POSITIONS: chooseRun(row_part || params.out_width, params.stride_x),
        TAPS: taps,
        CHANNELS: channels,
        OUTPUTS: outputs,
        CONTINUES: continues ? 1 : 0,
        GROUPED: params.groups > 1 ? 1 : 0,
        DEPTHWISE: isDepthwise ? 1 : 0,
      },
      vec4s: [...(isVec4 ? ["inputs"] : []), ...(hasVec4Deltas ? ["deltas"] : [])],
    }),
    params,
    workgroups: Math.ceil(
      Math.ceil(params.group_count / together) * together *
        countTiles(given, tile, first, end) / 64,
    ),
  };
}

/** Constants of both kernels that are sizes of the convolution. */
function listSteps({ stride_y, stride_x, dilation_y, dilation_x }: Steps) {
  return {
    STRIDE_Y: stride_y,
    STRIDE_X: stride_x,
    DILATION_Y: dilation_y,
    DILATION_X: dilation_x,
  };
}

/** Whether each output position of a convolution sees the input position of the same index alone. */
function isPointwiseFilter(
  sizes:
    & Pick<
      ConvolutionSizes,
      "kernel_height" | "kernel_width" | "stride_y" | "stride_x" | "pad_top" | "pad_left"
    >
    & Pick<ConvolutionSizes, "in_height" | "in_width" | "out_height" | "out_width">,
): boolean {
  return sizes.kernel_height === 1 && sizes.kernel_width === 1 && sizes.stride_y === 1 &&
    sizes.stride_x === 1 && sizes.pad_top === 0 && sizes.pad_left === 0 &&
    sizes.out_height === sizes.in_height && sizes.out_width === sizes.in_width;
}

/** Invocations of `filter_gradient` that compute the whole gradient of one group of samples. */
export function countFilterTiles(geometry: FilterSizes): number {
  const { kernel_height, kernel_width, out_channels } = geometry;
  const { filter_channels } = groupChannels(geometry);
  const end = (kernel_height * kernel_width * filter_channels + 1) * out_channels;
  return countTiles(geometry, chooseFilterTile(geometry, end), 0, end);
}

/** Steps of the loops of `filter_gradient` for one sample, whose output positions are `stride` input columns apart. */
export function countFilterSteps(outHeight: number, outWidth: number, stride: number): number {
  const steps = outHeight * Math.ceil(outWidth / chooseRun(outWidth, stride));
  return steps + Math.ceil(steps / FILTER_PART_STEPS);
}

/** Groups that are interleaved over neighbouring invocations: as many as write whole cache lines, if their inputs fit the core's cache. */
function chooseTogether(
  { in_height, in_width, in_channels, out_height, out_width, out_channels }: Omit<
    FilterGradientSizes,
    keyof Steps
  >,
): number {
  const bytes = 4 * (in_height * in_width * in_channels + out_height * out_width * out_channels);
  return [16, 8].find((samples) => samples * bytes <= INTERLEAVED_BYTES) ?? 1;
}

type FilterSizes = Pick<
  FilterGradientSizes,
  "kernel_height" | "kernel_width" | "in_channels" | "out_channels" | "groups" | "dilation_x"
>;

type FilterTile = ReturnType<typeof chooseFilterTile>;

/** Tile of an invocation. Where fewer than the elements of `TAPS` columns are wanted, it takes one column, so that little more is computed. */
function chooseFilterTile(sizes: FilterSizes, count: number) {
  const { kernel_width, out_channels, dilation_x } = sizes;
  const { groups, filter_channels, isDepthwise } = groupChannels(sizes);
  const choose = (kernel_width: number) =>
    chooseStep({ kernel_width, dilation_x, filter_channels }, isDepthwise);
  const whole = choose(kernel_width);
  const step = whole.taps * filter_channels * out_channels > count ? choose(1) : whole;
  return {
    ...step,
    outputs: Math.min(step.taps === 1 ? 2 * CHANNEL_BLOCK : CHANNEL_BLOCK, out_channels / groups),
  };
}

/** Tiles that have elements from `first` up to but not including `end`. */
function countTiles(
  sizes: FilterSizes,
  { taps, channels, outputs }: FilterTile,
  first: number,
  end: number,
): number {
  const { kernel_height, kernel_width, out_channels } = sizes;
  const { groups, filter_channels } = groupChannels(sizes);
  const tapElements = kernel_height * kernel_width * filter_channels * out_channels;
  // with one column the parts are in the order of the elements; with more, columns and channels are interleaved
  const partsTogether = taps === 1 ? 1 : filter_channels / channels;
  const together = partsTogether * taps * channels * out_channels;
  const parts = partsTogether *
    (Math.ceil(Math.min(end, tapElements) / together) -
      Math.floor(Math.min(first, tapElements) / together));
  return (parts + (end > tapElements ? 1 : 0)) * groups *
    Math.ceil(out_channels / groups / outputs);
}

/** Steps of the one loop of `convolution`. */
export function countSteps(
  { kernel_height, ...sizes }: Pick<ConvolutionSizes, "kernel_height"> & StepSizes,
): number {
  const { taps, channels } = chooseStep(sizes);
  return kernel_height * (sizes.kernel_width / taps) * (sizes.filter_channels / channels);
}

/** Joins all samples into one image row, which gives the same outputs for a 1 x 1 filter of stride 1 without padding. */
function joinSamples<
  S extends Readonly<Record<"sample_count" | "in_height" | "in_width", number>>,
>(sizes: S) {
  const width = sizes.sample_count * sizes.in_height * sizes.in_width;
  return {
    ...sizes,
    sample_count: 1,
    in_height: 1,
    in_width: width,
    out_height: 1,
    out_width: width,
  };
}

/** Positions of an output row that an invocation computes: so many that few are beyond the row's end, and few invocations read the filters. */
function chooseRun(width: number, stride: number): number {
  const cost = (run: number) => Math.ceil(width / run) * (run + 2);
  const most = Math.floor((MAX_WINDOW - MAX_TAPS) / stride) + 1;
  return range(Math.min(MAX_POSITIONS, most)).reduce((best, run) =>
    cost(run) <= cost(best) ? run : best
  );
}

/** Sizes that the steps of an invocation depend on. */
type StepSizes =
  & Pick<ConvolutionSizes, "kernel_width" | "dilation_x">
  & Pick<Grouping, "filter_channels">;

/**
 * Filter columns (taps) and input channels that an invocation takes in a step: divisors of all, so that no step is partial. Taps that dilation
 * moves apart are taken together as far as the window does not become wider.
 */
function chooseStep({ kernel_width, dilation_x, filter_channels }: StepSizes, isDepthwise = false) {
  const divisor = (size: number, most: number) => range(most).findLast((n) => size % n === 0)!;
  const mostTaps = Math.floor((MAX_TAPS - 1) / dilation_x) + 1;
  const taps = kernel_width === 0 ? 1 : divisor(kernel_width, mostTaps);
  if (isDepthwise) return { taps, channels: 1, isVec4: true };
  const isVec4 = filter_channels % 4 === 0;
  const most = Math.max(1, Math.min(3, Math.floor(MAX_STEP / taps)));
  return { taps, channels: isVec4 ? 4 : divisor(filter_channels, most), isVec4 };
}

/** Whole numbers from 1 to `last`. */
function range(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}
