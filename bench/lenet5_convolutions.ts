/**
 * LeNet-5's two convolutions.
 *
 * @module
 */
import {
  type ConvolutionGeometry,
  inferConvolutionGeometry,
} from "../engine/operations/convolution_geometry.ts";
import { countTaps } from "../engine/rows/layout.ts";

/** One convolution with its sizes. */
export interface Convolution {
  readonly name: string;
  /** Number of samples: as many as one pass of a projection holds, unless a case says otherwise. */
  readonly samples: number;
  readonly geometry: ConvolutionGeometry;
  readonly stride: number;
  readonly pad: number;
  /** `[N, in_height, in_width, in_channels]` */
  readonly inShape: [number, number, number, number];
  /** `[kernel_height, kernel_width, in_channels, out_channels]` */
  readonly filterShape: [number, number, number, number];
  /** `[N, out_height, out_width, out_channels]` */
  readonly outShape: [number, number, number, number];
  /** Filter taps of one output channel. */
  readonly taps: number;
  /** Output positions of all samples. */
  readonly positions: number;
}

function define(
  name: string,
  samples: number,
  [height, width, inputs]: [number, number, number],
  [size, outputs]: [number, number],
  pad: number,
): Convolution {
  const inShape: [number, number, number, number] = [samples, height, width, inputs];
  const filterShape: [number, number, number, number] = [size, size, inputs, outputs];
  const geometry = inferConvolutionGeometry(inShape, filterShape, { stride: 1, pad });
  const { out_height, out_width } = geometry;
  return {
    name,
    samples,
    geometry,
    stride: 1,
    pad,
    inShape,
    filterShape,
    outShape: [samples, out_height, out_width, outputs],
    taps: countTaps(geometry),
    positions: samples * out_height * out_width,
  };
}

const SAMPLES = 256;

/** Defines the convolution of 28 x 28 grey images to 6 channels. */
export function defineConv1(samples = SAMPLES): Convolution {
  return define("conv1", samples, [28, 28, 1], [5, 6], 2);
}

/** Defines the convolution of 14 x 14 images of 6 channels to 10 x 10 of 16. */
export function defineConv2(samples = SAMPLES): Convolution {
  return define("conv2", samples, [14, 14, 6], [5, 16], 0);
}

/** Describes a convolution as `LeNet-5 conv1, 256 images 28x28x1, filter 5x5x1x6`. */
export function describeConvolution({ name, samples, inShape, filterShape }: Convolution): string {
  const image = inShape.slice(1).join("x");
  return `LeNet-5 ${name}, ${samples} images ${image}, filter ${filterShape.join("x")}`;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
