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

/** Parameters of a launch of `convolution`, and the stride, which is compiled into it. */
export type ConvolutionSizes = ParamsOf<typeof kernels.convolution> & { readonly stride: number };

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

/** Plans a launch of `convolution`. A 1 x 1 filter of stride 1 runs over all samples as one image row. */
export function planConvolutionLaunch(
  { stride, ...given }: ConvolutionSizes,
): Launched<typeof kernels.convolution> {
  const isPointwise = given.kernel_height === 1 && given.kernel_width === 1 && stride === 1 &&
    given.step === 1 && given.pad_top === 0 && given.pad_left === 0;
  const params = isPointwise ? joinSamples(given) : given;
  const rows = Math.ceil((params.out_height - params.first_row) / params.step);
  const columns = Math.ceil((params.out_width - params.first_column) / params.step);
  const positions = isPointwise ? MAX_POSITIONS : chooseRun(columns, stride);
  const { taps, channels, isVec4 } = chooseStep(params.kernel_width, params.in_channels);
  const runs = params.sample_count * rows * Math.ceil(columns / positions);
  return {
    kernel: kernels.convolution.shape({
      constants: {
        POSITIONS: positions,
        STRIDE: stride,
        TAPS: taps,
        CHANNELS: channels,
        OUTPUTS: Math.min(CHANNEL_BLOCK, params.out_channels),
      },
      vec4s: isVec4 ? ["inputs"] : [],
    }),
    params,
    workgroups: Math.ceil(
      Math.ceil(runs / LANES) * Math.ceil(params.out_channels / CHANNEL_BLOCK) * LANES / 64,
    ),
  };
}

/** Parameters of a launch of `filter_gradient` that the caller chooses, and the stride, which is compiled into it. */
export type FilterGradientSizes =
  & Omit<ParamsOf<typeof kernels.filter_gradient>, "row_part" | "together">
  & {
    readonly stride: number;
    /** Whether the gradient is added to what is there. Default: it takes its place. */
    readonly continues?: boolean;
  };

/** Plans a launch of `filter_gradient`. A 1 x 1 filter of stride 1 runs over the samples of a group as one image row. */
export function planFilterGradientLaunch(
  { stride, continues = false, ...given }: FilterGradientSizes,
): Launched<typeof kernels.filter_gradient> {
  const isPointwise = given.kernel_height === 1 && given.kernel_width === 1 && stride === 1 &&
    given.pad === 0;
  const row_part = isPointwise ? given.group_samples * given.in_height * given.in_width : 0;
  const together = given.group_stride === 1 ? chooseTogether(given) : 1;
  const params = { ...(isPointwise ? joinSamples(given) : given), row_part, together };
  const { out_channels, out_width, first, end } = params;
  const tile = chooseFilterTile(params, end - first);
  const { taps, channels, outputs, isVec4 } = tile;
  const positions = chooseRun(row_part || out_width, stride);
  return {
    kernel: kernels.filter_gradient.shape({
      constants: {
        POSITIONS: positions,
        STRIDE: stride,
        TAPS: taps,
        CHANNELS: channels,
        OUTPUTS: outputs,
        CONTINUES: continues ? 1 : 0,
      },
      vec4s: [...(isVec4 ? ["inputs"] : []), ...(out_channels % 4 === 0 ? ["deltas"] : [])],
    }),
    params,
    workgroups: Math.ceil(
      Math.ceil(params.group_count / together) * together *
        countTiles(params, tile, first, end) / 64,
    ),
  };
}

/** Invocations of `filter_gradient` that compute the whole gradient of one group. */
export function countFilterTiles(geometry: FilterSizes): number {
  const { kernel_height, kernel_width, in_channels, out_channels } = geometry;
  const end = (kernel_height * kernel_width * in_channels + 1) * out_channels;
  return countTiles(geometry, chooseFilterTile(geometry, end), 0, end);
}

/** Steps of the loops of `filter_gradient` for one sample. */
export function countFilterSteps(outHeight: number, outWidth: number, stride: number): number {
  const steps = outHeight * Math.ceil(outWidth / chooseRun(outWidth, stride));
  return steps + Math.ceil(steps / FILTER_PART_STEPS);
}

/** Groups that are interleaved over neighbouring invocations: as many as write whole cache lines, if their inputs fit the core's cache. */
function chooseTogether(
  { in_height, in_width, in_channels, out_height, out_width, out_channels }: Omit<
    FilterGradientSizes,
    "stride"
  >,
): number {
  const bytes = 4 * (in_height * in_width * in_channels + out_height * out_width * out_channels);
  return [16, 8].find((samples) => samples * bytes <= INTERLEAVED_BYTES) ?? 1;
}

type FilterSizes = Pick<
  FilterGradientSizes,
  "kernel_height" | "kernel_width" | "in_channels" | "out_channels"
>;

type FilterTile = ReturnType<typeof chooseFilterTile>;

/** Tile of an invocation. Where fewer than the elements of `TAPS` columns are wanted, it takes one column, so that little more is computed. */
function chooseFilterTile({ kernel_width, in_channels, out_channels }: FilterSizes, count: number) {
  const whole = chooseStep(kernel_width, in_channels);
  const step = whole.taps * in_channels * out_channels > count ? chooseStep(1, in_channels) : whole;
  return {
    ...step,
    outputs: Math.min(step.taps === 1 ? 2 * CHANNEL_BLOCK : CHANNEL_BLOCK, out_channels),
  };
}

/** Tiles that have elements from `first` up to but not including `end`. */
function countTiles(
  { kernel_height, kernel_width, in_channels, out_channels }: FilterSizes,
  { taps, channels, outputs }: FilterTile,
  first: number,
  end: number,
): number {
  const tapElements = kernel_height * kernel_width * in_channels * out_channels;
  // with one column the parts are in the order of the elements; with more, columns and channels are interleaved
  const partsTogether = taps === 1 ? 1 : in_channels / channels;
  const together = partsTogether * taps * channels * out_channels;
  const parts = partsTogether *
    (Math.ceil(Math.min(end, tapElements) / together) -
      Math.floor(Math.min(first, tapElements) / together));
  return (parts + (end > tapElements ? 1 : 0)) * Math.ceil(out_channels / outputs);
}

/** Steps of the one loop of `convolution`. */
export function countSteps(kernelHeight: number, kernelWidth: number, channels: number): number {
  const step = chooseStep(kernelWidth, channels);
  return kernelHeight * (kernelWidth / step.taps) * (channels / step.channels);
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

/** Filter columns (taps) and input channels that an invocation takes in a step: divisors of all, so that no step is partial. */
function chooseStep(kernelWidth: number, inChannels: number) {
  const divisor = (size: number, most: number) => range(most).findLast((n) => size % n === 0)!;
  const taps = kernelWidth === 0 ? 1 : divisor(kernelWidth, MAX_TAPS);
  const isVec4 = inChannels % 4 === 0;
  const most = Math.max(1, Math.min(3, Math.floor(MAX_STEP / taps)));
  return { taps, channels: isVec4 ? 4 : divisor(inChannels, most), isVec4 };
}

/** Whole numbers from 1 to `last`. */
function range(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}
