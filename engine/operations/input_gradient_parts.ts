/**
 * Launches of the convolution kernel that make up the gradient of a convolution's input.
 *
 * @module
 */
import type { ConvolutionGeometry } from "./convolution_geometry.ts";

/** Filter taps that a launch of `convolution` uses: every `step`th row from `first_row` on, and every `step`th column from `first_column` on. */
export interface FilterPart {
  readonly rows: number;
  readonly columns: number;
  readonly step: number;
  readonly first_row: number;
  readonly first_column: number;
}

/** One launch for an input's gradient, named as in the parameters of `convolution`. */
export interface InputGradientPart {
  /** Taps of the filter rotated by 180 degrees. */
  readonly filter: FilterPart;
  /** Distance of the rows and columns that the launch computes: the convolution's stride. */
  readonly step: number;
  readonly first_row: number;
  readonly first_column: number;
  readonly pad_top: number;
  readonly pad_left: number;
}

/**
 * Splits an input's gradient into launches. Input rows of the same remainder by the stride meet the same rows of the filter, and so do columns;
 * other rows of the filter meet no output gradient there.
 */
export function splitInputGradient(
  { in_height, in_width, kernel_height, kernel_width, stride, pad }: ConvolutionGeometry,
): InputGradientPart[] {
  const split = (size: number, kernel: number) =>
    Array.from({ length: Math.min(stride, size) }, (_, first) => {
      // distance from the start of the rotated filter to the first of these rows, and the filter's first tap that meets an output gradient
      const reach = kernel - 1 - pad - first;
      const firstTap = ((reach % stride) + stride) % stride;
      return {
        first,
        pad: (reach - firstTap) / stride,
        firstTap,
        taps: Math.max(0, Math.ceil((kernel - firstTap) / stride)),
      };
    });
  return split(in_height, kernel_height).flatMap((rows) =>
    split(in_width, kernel_width).map((columns) => ({
      filter: {
        rows: rows.taps,
        columns: columns.taps,
        step: stride,
        first_row: rows.firstTap,
        first_column: columns.firstTap,
      },
      step: stride,
      first_row: rows.first,
      first_column: columns.first,
      pad_top: rows.pad,
      pad_left: columns.pad,
    }))
  );
}
