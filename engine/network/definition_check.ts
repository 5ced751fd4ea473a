/**
 * Checks of a network's definition and of the logits that its forward pass returns.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { DataError } from "../errors.ts";
import { countElements } from "../formats/shape.ts";
import { describeShape, describeValue } from "../options.ts";
import type { NetworkDefinition } from "./definition.ts";

/**
 * Refuses a value that is no definition, and an input shape that is none of an image.
 *
 * @throws {TypeError} if either is refused.
 */
export function checkDefinition(
  definition: NetworkDefinition,
  inputShape: readonly number[],
): void {
  const { name, forward } = Object(definition) as Partial<NetworkDefinition>;
  if (typeof name !== "string" || typeof forward !== "function") {
    throw new TypeError(
      `Cannot build a network: got ${
        describeValue(definition)
      }, need a NetworkDefinition, { name, forward }`,
    );
  }
  const isShape = Array.isArray(inputShape) && inputShape.length === 3 &&
    inputShape.every((size) => Number.isInteger(size) && size >= 1);
  if (!isShape) {
    throw new TypeError(
      `Cannot build ${name}: got images of shape ${
        describeValue(inputShape)
      }, need [height, width, channels]`,
    );
  }
}

/**
 * Returns the result of a forward pass if it is logits, `[samples, classes]` f32.
 *
 * @param classes number of classes; undefined where it is not known yet, and any number is accepted
 * @throws {TypeError} if the result is anything else.
 */
export function checkLogits(
  { name }: NetworkDefinition,
  logits: unknown,
  samples: number,
  classes: number | undefined,
): tf.Tensor2D {
  const shape = logits instanceof tf.Tensor ? logits.shape : undefined;
  const isFit = shape?.length === 2 && shape[0] === samples &&
    shape[1] === (classes ?? shape[1]) && shape[1] >= 1;
  if (isFit && (logits as tf.Tensor).dtype === "float32") return logits as tf.Tensor2D;
  // an unhandled rejection would end the process
  if (logits instanceof Promise) logits.catch(() => {});
  const got = !shape
    ? describeValue(logits)
    : isFit
    ? (logits as tf.Tensor).dtype
    : shape[0] === samples
    ? describeShape(shape)
    : `[${shape.join(", ")}] for ${samples} samples`;
  const mend = shape?.length === 4 ? "; flatten it, and end with a dense layer" : "";
  throw new TypeError(
    `Cannot build ${name}: got ${got} from its forward pass, need logits [N, ${
      classes ?? "classes"
    }]${mend}`,
  );
}

/**
 * Refuses a tensor of one sample that the device cannot bind.
 *
 * @param bindingBytes size of the device's largest binding
 * @throws {DataError} if the tensor is refused.
 */
export function checkTensor(
  { name }: NetworkDefinition,
  shape: readonly number[],
  bindingBytes: number,
): void {
  const count = countElements(shape);
  if (4 * count <= bindingBytes) return;
  throw new DataError(
    `Cannot run ${name} over one sample: got a tensor [${
      shape.join(", ")
    }] of ${count} numbers, need at most ${
      Math.floor(bindingBytes / 4)
    } on this device; a smaller image or layer has fewer`,
  );
}
