/**
 * The networks of the paper.
 *
 * @module
 */
import { flatten, maxPool, type NetworkDefinition, relu } from "./definition.ts";

/** A 3-layer perceptron with relu (section 3.2); 128 and 64 hidden units when new. */
export const mlp: NetworkDefinition = {
  name: "mlp",
  forward(layers, images) {
    const first = relu(layers.dense("fc1", flatten(images), 128));
    const second = relu(layers.dense("fc2", first, 64));
    return layers.dense("fc3", second, layers.classes);
  },
};

/** LeNet-5 (LeCun et al., 1998) with relu and max pooling, for 28 x 28 images (section 3.3). */
export const lenet5: NetworkDefinition = {
  name: "lenet5",
  forward(layers, images) {
    const first = layers.convolution("conv1", images, { filters: 6, size: 5, pad: 2 });
    // relu and pooling may change places, and pooled images are smaller
    const second = layers.convolution("conv2", relu(maxPool(first, 2)), { filters: 16, size: 5 });
    const features = flatten(relu(maxPool(second, 2)));
    const third = relu(layers.dense("fc1", features, 120));
    const fourth = relu(layers.dense("fc2", third, 84));
    return layers.dense("fc3", fourth, layers.classes);
  },
};
