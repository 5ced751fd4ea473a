/**
 * How the kernels of convolutions are launched: which tile suits a layer, and how many workgroups compute it.
 *
 * @module
 */
import type { Kernel, ParamValues } from "../gpu/kernel.ts";
import { kernels } from "../../shaders/kernel_table.ts";

/** A kernel with what a launch of it takes, but for its buffers. */
export interface Launch<P extends string, B extends string> {
  readonly kernel: Kernel<P, B>;
  readonly params: ParamValues<P>;
  readonly workgroups: number;
}

type Launched<K> = K extends Kernel<infer P, infer B> ? Launch<P, B> : never;
type ParamsOf<K> = K extends Kernel<infer P, string> ? ParamValues<P> : never;

/** The sizes of a launch of `convolution`, by the names of its parameters. */
export type ConvolutionSizes = ParamsOf<typeof kernels.convolution> & { readonly stride: number };

/** Neighbours of a row that an invocation computes, at most. */
const MAX_POSITIONS = 8;

/** Columns of the input that it reads for them, at most: what it does with each is written out. */
const MAX_WINDOW = 128;

/** Columns of a filter that it takes in one step, at most. */
const MAX_TAPS = 5;

/** Columns times channels that it takes in one step where channels are read one by one, at most. */
const MAX_STEP = 15;

/** Channels of the output that it computes, at most. */
const OCTET = 8;

/** Invocations that `convolution` lets read the same filters. */
const LANES = 16;

/** Steps that `filter_gradient` sums one after another. */
const FILTER_PART_STEPS = 32;

/** Bytes of images and deltas that invocations of `filter_gradient` read at about the same time, at most: half of a core's second cache. */
const TOGETHER_BYTES = 2 ** 20;

/** A launch of `convolution`: its tile along rows, columns of the filter and channels. */
export function layConvolution(
  { stride, ...given }: ConvolutionSizes,
): Launched<typeof kernels.convolution> {
  const isPointwise = given.kernel_height === 1 && given.kernel_width === 1 && stride === 1 &&
    given.step === 1 && given.pad_top === 0 && given.pad_left === 0;
  const params = isPointwise ? joinSamples(given) : given;
  const rows = Math.ceil((params.out_height - params.first_row) / params.step);
  const columns = Math.ceil((params.out_width - params.first_column) / params.step);
  const positions = isPointwise ? MAX_POSITIONS : chooseRun(columns, stride);
  const { taps, channels, isQuad } = chooseStep(params.kernel_width, params.in_channels);
  const runs = params.sample_count * rows * Math.ceil(columns / positions);
  return {
    kernel: kernels.convolution.shape({
      constants: {
        POSITIONS: positions,
        STRIDE: stride,
        TAPS: taps,
        CHANNELS: channels,
        OUTPUTS: Math.min(OCTET, params.out_channels),
      },
      quads: isQuad ? ["inputs"] : [],
    }),
    params,
    workgroups: Math.ceil(
      Math.ceil(runs / LANES) * Math.ceil(params.out_channels / OCTET) * LANES / 64,
    ),
  };
}

/** The sizes of a launch of `filter_gradient`, by the names of its parameters. */
export type FilterGradientSizes =
  & Omit<ParamsOf<typeof kernels.filter_gradient>, "row_part" | "together">
  & { readonly stride: number };

/** A launch of `filter_gradient`: its tile along columns of the filter, channels and positions. */
export function layFilterGradient(
  { stride, ...given }: FilterGradientSizes,
): Launched<typeof kernels.filter_gradient> {
  const isPointwise = given.kernel_height === 1 && given.kernel_width === 1 && stride === 1 &&
    given.pad === 0;
  const row_part = isPointwise ? given.group_samples * given.in_height * given.in_width : 0;
  const together = given.group_stride === 1 ? chooseTogether(given) : 1;
  const params = { ...(isPointwise ? joinSamples(given) : given), row_part, together };
  const { out_channels, out_width, first, end } = params;
  const tile = chooseFilterTile(params, end - first);
  const { taps, channels, outputs, isQuad } = tile;
  const positions = chooseRun(row_part || out_width, stride);
  return {
    kernel: kernels.filter_gradient.shape({
      constants: {
        POSITIONS: positions,
        STRIDE: stride,
        TAPS: taps,
        CHANNELS: channels,
        OUTPUTS: outputs,
      },
      quads: [...(isQuad ? ["inputs"] : []), ...(out_channels % 4 === 0 ? ["deltas"] : [])],
    }),
    params,
    workgroups: Math.ceil(
      Math.ceil(params.group_count / together) * together *
        countTiles(params, tile, first, end) / 64,
    ),
  };
}

/** Invocations of `filter_gradient` for all numbers of a group. */
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

/** Samples whose numbers neighbouring invocations write side by side: as many as write whole lines, if the core can keep what they read. */
function chooseTogether(
  { in_height, in_width, in_channels, out_height, out_width, out_channels }: Omit<
    FilterGradientSizes,
    "stride"
  >,
): number {
  const bytes = 4 * (in_height * in_width * in_channels + out_height * out_width * out_channels);
  return [16, 8].find((samples) => samples * bytes <= TOGETHER_BYTES) ?? 1;
}

type FilterSizes = Pick<
  FilterGradientSizes,
  "kernel_height" | "kernel_width" | "in_channels" | "out_channels"
>;

type FilterTile = ReturnType<typeof chooseFilterTile>;

/** A part of the numbers that is smaller than what `TAPS` columns have would be computed with much around it. */
function chooseFilterTile({ kernel_width, in_channels, out_channels }: FilterSizes, count: number) {
  const whole = chooseStep(kernel_width, in_channels);
  const step = whole.taps * in_channels * out_channels > count ? chooseStep(1, in_channels) : whole;
  return { ...step, outputs: Math.min(step.taps === 1 ? 2 * OCTET : OCTET, out_channels) };
}

/** Tiles that have numbers from `first` on and before `end`. */
function countTiles(
  { kernel_height, kernel_width, in_channels, out_channels }: FilterSizes,
  { taps, channels, outputs }: FilterTile,
  first: number,
  end: number,
): number {
  const tapNumbers = kernel_height * kernel_width * in_channels * out_channels;
  // one column's channels come in the order of their numbers, more columns take turns with channels
  const partsTogether = taps === 1 ? 1 : in_channels / channels;
  const together = partsTogether * taps * channels * out_channels;
  const parts = partsTogether *
    (Math.ceil(Math.min(end, tapNumbers) / together) -
      Math.floor(Math.min(first, tapNumbers) / together));
  return (parts + (end > tapNumbers ? 1 : 0)) * Math.ceil(out_channels / outputs);
}

/** Steps of the one loop of `convolution`. */
export function countSteps(kernelHeight: number, kernelWidth: number, channels: number): number {
  const step = chooseStep(kernelWidth, channels);
  return kernelHeight * (kernelWidth / step.taps) * (channels / step.channels);
}

/** Where a filter of one pixel goes over whole images, they are one row of pixels. */
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

/** Neighbours of a row that an invocation computes: few of them beyond its end, and few runs, each of which reads the filters. */
function chooseRun(width: number, stride: number): number {
  const cost = (run: number) => Math.ceil(width / run) * (run + 2);
  const most = Math.floor((MAX_WINDOW - MAX_TAPS) / stride) + 1;
  return range(Math.min(MAX_POSITIONS, most)).reduce((best, run) =>
    cost(run) <= cost(best) ? run : best
  );
}

/** What of a filter's row an invocation takes in a step, so that nothing is left over. */
function chooseStep(kernelWidth: number, inChannels: number) {
  const divisor = (size: number, most: number) => range(most).findLast((n) => size % n === 0)!;
  const taps = kernelWidth === 0 ? 1 : divisor(kernelWidth, MAX_TAPS);
  const isQuad = inChannels % 4 === 0;
  const most = Math.max(1, Math.min(3, Math.floor(MAX_STEP / taps)));
  return { taps, channels: isQuad ? 4 : divisor(inChannels, most), isQuad };
}

/** 1 to `last`. */
function range(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}
