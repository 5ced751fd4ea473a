/**
 * How the gradient of a convolution's input is cut into launches of the convolution kernel.
 *
 * @module
 */
import type { ConvolutionGeometry } from "./convolution_geometry.ts";

/** The taps of a filter that a launch of `convolution` takes: every `step`th of its rows and columns, from some on. */
export interface FilterPart {
  readonly rows: number;
  readonly columns: number;
  readonly step: number;
  readonly first_row: number;
  readonly first_column: number;
}

/** One launch for an input's gradient. */
export interface InputGradientPart {
  /** Of the turned filter. */
  readonly filter: FilterPart;
  /** Rows and columns that the launch computes are a stride apart. */
  readonly step: number;
  readonly first_row: number;
  readonly first_column: number;
  readonly pad_top: number;
  readonly pad_left: number;
}

/**
 * The launches that make an input's gradient. Rows that leave the same remainder by the stride meet the same rows of the filter, and so do
 * columns; between them the filter meets no delta.
 */
export function splitInputGradient(
  { in_height, in_width, kernel_height, kernel_width, stride, pad }: ConvolutionGeometry,
): InputGradientPart[] {
  const split = (size: number, kernel: number) =>
    Array.from({ length: Math.min(stride, size) }, (_, first) => {
      // how far before the first of these places the turned filter begins, and its first tap that meets a delta
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
