/**
 * The first five blocks of MobileNetV2 over images of 32 x 32 pixels: pointwise convolutions about depthwise ones.
 *
 * @module
 */
import type {
  ConvolutionOptions,
  FeatureMaps,
  NetworkDefinition,
} from "../engine/network/definition.ts";

/** Factor of the channels within a block, channels of its output, and stride (table 2 of the paper, whose first strides are left out). */
const BLOCKS = [[1, 16, 1], [6, 24, 1], [6, 24, 1], [6, 32, 2], [6, 32, 1]] as const;

/** The blocks after a convolution of 3 x 3, and a dense layer over the average of each channel; without batch norms. */
export const mobileBlocks: NetworkDefinition = {
  name: "mobile_blocks",
  forward(layers, images) {
    const convolve = (name: string, x: FeatureMaps, options: ConvolutionOptions) =>
      layers.convolution(name, x, { bias: false, ...options });
    let x = layers.relu(convolve("stem", images, { filters: 32, size: 3, pad: 1 }));
    BLOCKS.forEach(([factor, filters, stride], i) => {
      const channels = x.shape[3];
      const width = factor * channels;
      const expanded = factor === 1
        ? x
        : layers.relu(convolve(`blocks.${i}.expand`, x, { filters: width, size: 1 }));
      const spatial = layers.relu(
        convolve(`blocks.${i}.depthwise`, expanded, {
          filters: width,
          size: 3,
          pad: 1,
          stride,
          groups: width,
        }),
      );
      const y = convolve(`blocks.${i}.project`, spatial, { filters, size: 1 });
      x = stride === 1 && filters === channels ? layers.add(x, y) : y;
    });
    return layers.dense("linear", layers.globalAverage(x), layers.classes);
  },
};
