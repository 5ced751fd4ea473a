/**
 * The networks of the paper, and smaller ones of their kind.
 *
 * @module
 */
import { checkCall } from "../operations/arguments.ts";
import type { FeatureMaps, Layers, NetworkDefinition } from "./definition.ts";

/** A 3-layer perceptron with relu (section 3.2); 128 and 64 hidden units when new. */
export const mlp: NetworkDefinition = {
  name: "mlp",
  forward(layers, images) {
    const first = layers.relu(layers.dense("fc1", layers.flatten(images), 128));
    const second = layers.relu(layers.dense("fc2", first, 64));
    return layers.dense("fc3", second, layers.classes);
  },
};

/** LeNet-5 (LeCun et al., 1998) with relu and max pooling, for 28 x 28 images (section 3.3). */
export const lenet5: NetworkDefinition = {
  name: "lenet5",
  forward(layers, images) {
    const first = layers.convolution("conv1", images, { filters: 6, size: 5, pad: 2 });
    // relu and max pooling commute, and relu is cheaper on pooled images
    const second = layers.convolution("conv2", layers.relu(layers.maxPool(first, 2)), {
      filters: 16,
      size: 5,
    });
    const features = layers.flatten(layers.relu(layers.maxPool(second, 2)));
    const third = layers.relu(layers.dense("fc1", features, 120));
    const fourth = layers.relu(layers.dense("fc2", third, 84));
    return layers.dense("fc3", fourth, layers.classes);
  },
};

/** The network that the authors' code calls LeNet, for 28 x 28 images: 1,199,882 parameters with ten classes. */
export const lenetLarge: NetworkDefinition = {
  name: "lenet_large",
  forward(layers, images) {
    const first = layers.relu(layers.convolution("conv1", images, { filters: 32, size: 3 }));
    const second = layers.convolution("conv2", first, { filters: 64, size: 3 });
    // relu and max pooling commute, and relu is cheaper on pooled images
    const features = layers.dropout(layers.flatten(layers.relu(layers.maxPool(second, 2))), 0.25);
    const third = layers.dropout(layers.relu(layers.dense("fc1", features, 128)), 0.5);
    return layers.dense("fc2", third, layers.classes);
  },
};

/** Name and sizes of a residual network; loaded weights determine the widths themselves. */
export interface ResnetOptions {
  /** Name of the network in errors and in records of results. */
  readonly name: string;
  /** Number of channels in each stage of a new network; every stage but the first halves height and width. */
  readonly widths: readonly number[];
  /** Number of residual blocks in each stage, of two convolutions each. */
  readonly blocks: number;
  /** Average pooling after the last stage: over 4 x 4 pixels, as the authors have it for 32 x 32 images, or over all pixels. */
  readonly pooling: "4 x 4" | "global";
  /** Whether a batch norm follows each convolution, as in He et al. Default false, as the authors have it. */
  readonly batchNorm?: boolean;
}

/**
 * Defines a residual network as the paper's authors do (section 3.3): of 3 x 3 convolutions without bias, and without batch norm
 * unless that is asked for.
 *
 * Its `state_dict` has `conv1`, `layer1.0.conv1`, `layer1.0.conv2`, ..., `layer2.0.shortcut.0`, ..., `linear`, and with batch norms also `bn1`,
 * `layer1.0.bn1`, `layer1.0.bn2`, ..., `layer2.0.shortcut.1`, ...
 *
 * @throws {LayerError} if an option is missing, unknown or out of range.
 */
export function createResnet(options: ResnetOptions): NetworkDefinition {
  checkCall("createResnet", arguments);
  const { name, blocks, pooling, batchNorm = false } = options;
  const widths = [...options.widths];
  return {
    name,
    forward(layers, images) {
      let x = layers.relu(convolve(layers, "conv1", images, { filters: widths[0], batchNorm }));
      widths.forEach((filters, stage) => {
        for (let block = 0; block < blocks; block++) {
          const stride = stage > 0 && block === 0 ? 2 : 1;
          x = addBlock(layers, `layer${stage + 1}.${block}`, x, { filters, stride, batchNorm });
        }
      });
      const features = pooling === "global"
        ? layers.globalAverage(x)
        : layers.flatten(layers.averagePool(x, 4));
      return layers.dense("linear", features, layers.classes);
    },
  };
}

/** Applies a residual block: two convolutions beside a shortcut, which is a 1 x 1 convolution where the shape changes. */
function addBlock(
  layers: Layers,
  name: string,
  x: FeatureMaps,
  { stride, ...options }: ResidualOptions & { readonly stride: number },
): FeatureMaps {
  const first = layers.relu(convolve(layers, `${name}.conv1`, x, { stride, ...options }));
  const second = convolve(layers, `${name}.conv2`, first, options);
  const filters = second.shape[3];
  const shortcut = stride === 1 && x.shape[3] === filters
    ? x
    : convolve(layers, `${name}.shortcut.0`, x, { ...options, filters, size: 1, stride });
  return layers.relu(layers.add(second, shortcut));
}

/** Options of a convolution in a residual network. */
interface ResidualOptions {
  readonly filters: number;
  readonly batchNorm: boolean;
}

/** Applies a convolution without bias, padded so that only its stride changes height and width, and the batch norm after it if it has one. */
function convolve(
  layers: Layers,
  name: string,
  x: FeatureMaps,
  { size = 3, batchNorm, ...options }: ResidualOptions & {
    readonly size?: number;
    readonly stride?: number;
  },
): FeatureMaps {
  const pad = (size - 1) / 2;
  const y = layers.convolution(name, x, { ...options, size, pad, bias: false });
  return batchNorm ? layers.batchNorm(nameNorm(name), y) : y;
}

/** Returns the name of the batch norm after a convolution: `bn1` after `conv1`, and `shortcut.1` after `shortcut.0`. */
function nameNorm(convolution: string): string {
  return convolution.replace(/conv(\d)$/, "bn$1").replace(/shortcut\.0$/, "shortcut.1");
}

/** ResNet-18 for 32 x 32 images, as the authors have it: 11,164,362 parameters with three channels and ten classes. */
export const resnet18: NetworkDefinition = createResnet({
  name: "resnet18",
  widths: [64, 128, 256, 512],
  blocks: 2,
  pooling: "4 x 4",
});

/**
 * ResNet-18 with batch norms as it is commonly trained on CIFAR (He et al., 2016, with a 3 x 3 convolution first): 11,173,962 parameters with three
 * channels and ten classes. Its names are those of kuangliu's pytorch-cifar.
 */
export const resnet18Bn: NetworkDefinition = createResnet({
  name: "resnet18_bn",
  widths: [64, 128, 256, 512],
  blocks: 2,
  pooling: "4 x 4",
  batchNorm: true,
});

/** {@linkcode resnet18} at an eighth of its width: 175,202 parameters. */
export const resnet18Narrow: NetworkDefinition = createResnet({
  name: "resnet18_narrow",
  widths: [8, 16, 32, 64],
  blocks: 2,
  pooling: "4 x 4",
});

/** A residual network of eight layers (He et al., 2016) that trains in minutes on two CPU cores: 46,810 parameters. */
export const resnet8: NetworkDefinition = createResnet({
  name: "resnet8",
  widths: [16, 24, 48],
  blocks: 1,
  pooling: "global",
});

/** {@linkcode resnet8} with half the channels, two thirds in the later stages: 19,618 parameters, a step in less than half the time. */
export const resnet8Narrow: NetworkDefinition = createResnet({
  name: "resnet8_narrow",
  widths: [8, 16, 32],
  blocks: 1,
  pooling: "global",
});
