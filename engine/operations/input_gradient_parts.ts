/**
 * Launches of the convolution kernel that make up the gradient of a convolution's input.
 *
 * @module
 */
import type { ConvolutionGeometry } from "./convolution_geometry.ts";

/**
 * Filter taps that a launch of `convolution` uses: every `row_step`th row from `first_row` on, and every `column_step`th column from
 * `first_column` on.
 */
export interface FilterPart {
  readonly rows: number;
  readonly columns: number;
  readonly row_step: number;
  readonly column_step: number;
  readonly first_row: number;
  readonly first_column: number;
}

/** One launch for an input's gradient, named as in the parameters of `convolution`. */
export interface InputGradientPart {
  /** Taps of the filter rotated by 180 degrees. */
  readonly filter: FilterPart;
  /** Distance of the rows that the launch computes: the convolution's stride along them. */
  readonly step_y: number;
  /** Distance of the columns. */
  readonly step_x: number;
  readonly first_row: number;
  readonly first_column: number;
  readonly pad_top: number;
  readonly pad_left: number;
  readonly dilation_y: number;
  readonly dilation_x: number;
}

/**
 * Splits an input's gradient into launches. Input rows of the same remainder by the stride meet the same rows of the filter, and so do columns;
 * other rows of the filter meet no output gradient there.
 */
export function splitInputGradient(geometry: ConvolutionGeometry): InputGradientPart[] {
  const columnParts = splitAxis({
    size: geometry.in_width,
    taps: geometry.kernel_width,
    stride: geometry.stride_x,
    pad: geometry.pad_left,
    dilation: geometry.dilation_x,
  });
  return splitAxis({
    size: geometry.in_height,
    taps: geometry.kernel_height,
    stride: geometry.stride_y,
    pad: geometry.pad_top,
    dilation: geometry.dilation_y,
  }).flatMap((rows) =>
    columnParts.map((columns) => ({
      filter: {
        rows: rows.taps,
        columns: columns.taps,
        row_step: rows.step,
        column_step: columns.step,
        first_row: rows.firstTap,
        first_column: columns.firstTap,
      },
      step_y: geometry.stride_y,
      step_x: geometry.stride_x,
      first_row: rows.first,
      first_column: columns.first,
      pad_top: rows.pad,
      pad_left: columns.pad,
      dilation_y: rows.dilation,
      dilation_x: columns.dilation,
    }))
  );
}

/** Sizes of a convolution along one axis. */
type AxisSizes = Readonly<Record<"size" | "taps" | "stride" | "pad" | "dilation", number>>;

/**
 * Splits one axis. With k counting the pixels of one part, `first + k * stride`, and t the taps of the rotated filter, pixel and tap meet output
 * position p where `p * stride = k * stride + t * dilation - reach`.
 */
function splitAxis({ size, taps, stride, pad, dilation }: AxisSizes) {
  const common = greatestCommonDivisor(stride, dilation);
  // taps that meet an output position are so far apart
  const step = stride / common;
  return Array.from({ length: Math.min(stride, size) }, (_, first) => {
    const reach = (taps - 1) * dilation - pad - first;
    const meets = (tap: number) => (tap * dilation - reach) % stride === 0;
    const firstTap = Array.from({ length: Math.min(step, taps) }, (_, tap) => tap).find(meets);
    const part = { first, step, dilation: dilation / common };
    return firstTap === undefined ? { ...part, firstTap: 0, taps: 0, pad: 0 } : {
      ...part,
      firstTap,
      taps: Math.ceil((taps - firstTap) / step),
      pad: (reach - firstTap * dilation) / stride,
    };
  });
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
