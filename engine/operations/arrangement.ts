/**
 * How the numbers of each sample are arranged: reshaped, transposed, joined, cut and padded. The samples stay the first axis.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { DataError, LayerError } from "../errors.ts";
import { countElements } from "../formats/shape.ts";
import { describeShape, describeValue } from "../options.ts";
import { checkCall, findAxes } from "./arguments.ts";
import {
  type Activations,
  type FeatureMaps,
  type Features,
  toActivations,
  toTensor,
} from "./features.ts";

/** Flattens feature maps `[N, H, W, C]` to `[N, C * H * W]`, channels first, as PyTorch does. */
export function flatten(x: FeatureMaps): Features {
  checkCall("flatten", arguments);
  const [n, height, width, channels] = x.shape;
  const images = toTensor(x);
  const channelsFirst = channels === 1 ? images : tf.transpose(images, [0, 3, 1, 2]);
  return toActivations(tf.reshape(channelsFirst, [n, channels * height * width]));
}

/**
 * Gives each sample another shape, with its numbers in the same order.
 *
 * @param shape sizes without the samples; one of them may be -1, for as many as are left
 * @throws {LayerError} if the numbers of elements differ.
 */
export function reshape(x: Activations, shape: readonly [number]): Features;
/** Gives each sample the shape of feature maps. */
export function reshape(x: Activations, shape: readonly [number, number, number]): FeatureMaps;
/** Gives each sample any other shape. */
export function reshape(x: Activations, shape: readonly number[]): Activations;
export function reshape(x: Activations, shape: readonly number[]): Activations {
  checkCall("reshape", arguments);
  const [samples, ...own] = x.shape;
  const count = countElements(own);
  const known = countElements(shape.filter((size) => size !== -1));
  const open = shape.filter((size) => size === -1).length;
  if (open > 1 || (open === 1 ? count % known !== 0 : count !== known)) {
    throw new LayerError(
      "reshape",
      "shape",
      `Cannot use reshape: got shape ${describeValue(shape)} for ${
        describeShape(x.shape)
      }, need ${count} elements a sample`,
    );
  }
  const sizes = shape.map((size) => size === -1 ? count / known : size);
  return toActivations(tf.reshape(toTensor(x), [samples, ...sizes]));
}

/**
 * Exchanges axes of each sample.
 *
 * @param axes for each axis of the result after the samples, the axis of `x`: `[2, 1]` exchanges the two of `[N, A, B]`
 * @throws {LayerError} if they are not each axis once.
 */
export function transpose<T extends Activations>(x: T, axes: readonly number[]): T {
  checkCall("transpose", arguments);
  const own = findAxes("transpose", x, axes);
  if (own.length !== x.shape.length - 1) {
    throw new LayerError(
      "transpose",
      "axes",
      `Cannot use transpose: got axes ${describeValue(axes)} of ${
        describeShape(x.shape)
      }, need each axis after the samples once`,
    );
  }
  return toActivations(tf.transpose(toTensor(x as Activations), [0, ...own]));
}

/**
 * Joins activations one behind the other along an axis.
 *
 * @throws {DataError} if their other sizes differ.
 */
export function concat<T extends Activations>(list: readonly T[], axis: number): T {
  checkCall("concat", arguments);
  const [first] = list;
  const [own] = findAxes("concat", first, [axis]);
  const other = list.find(({ shape }) =>
    shape.length !== first.shape.length ||
    shape.some((size, i) => i !== own && size !== first.shape[i])
  );
  if (other) {
    throw new DataError(
      `Cannot concat: got ${describeShape(first.shape)} and ${
        describeShape(other.shape)
      }, need one shape but for axis ${axis}`,
    );
  }
  if (list.length === 1) return first;
  return toActivations(tf.concat(list.map((x) => toTensor(x as Activations)), own));
}

/**
 * Takes every `step`-th element from `begin` up to but not including `end` along an axis; negative ones count from its end.
 *
 * @throws {LayerError} if there is none.
 */
export function slice<T extends Activations>(
  x: T,
  axis: number,
  begin: number,
  end: number,
  step = 1,
): T {
  checkCall("slice", arguments);
  const [own] = findAxes("slice", x, [axis]);
  const size = x.shape[own];
  const [from, to] = [begin, end].map((at) => Math.max(0, Math.min(size, at < 0 ? size + at : at)));
  if (to <= from) {
    throw new LayerError(
      "slice",
      "end",
      `Cannot use slice: got elements ${begin} to ${end} of ${size}, need at least one`,
    );
  }
  const count = Math.ceil((to - from) / step);
  return onAxis(x, own, (rows) => {
    const [before, , after] = rows.shape;
    if (step === 1) return tf.slice(rows, [0, from, 0], [before, count, after]);
    // whole steps, of each of which the first is taken
    const missing = Math.max(0, from + count * step - size);
    const longer = missing > 0 ? tf.pad(rows, [[0, 0], [0, missing], [0, 0]]) : rows;
    const whole = tf.slice(longer, [0, from, 0], [before, count * step, after]);
    const steps = tf.reshape(whole, [before * count, step, after]);
    return tf.reshape(tf.slice(steps, [0, 0, 0], [before * count, 1, after]), [
      before,
      count,
      after,
    ]);
  });
}

/**
 * Adds elements of one value before and after those along each axis of a sample.
 *
 * @param pads `[before, after]` for each axis after the samples
 * @throws {LayerError} if there is not one pair for each axis.
 */
export function pad<T extends Activations>(
  x: T,
  pads: readonly (readonly [before: number, after: number])[],
  value = 0,
): T {
  checkCall("pad", arguments);
  if (pads.length !== x.shape.length - 1) {
    throw new LayerError(
      "pad",
      "pads",
      `Cannot use pad: got ${pads.length} pairs for ${
        describeShape(x.shape)
      }, need one for each axis after the samples`,
    );
  }
  return pads.reduce(
    (padded, [before, after], i) =>
      before + after === 0 ? padded : onAxis(
        padded,
        i + 1,
        (rows) => tf.pad(rows, [[0, 0], [before, after], [0, 0]], value),
      ),
    x,
  );
}

/** Changes one axis, the middle one of `[before, size, after]`: TensorFlow.js pads, and differentiates slices, of at most four axes. */
function onAxis<T extends Activations>(
  x: T,
  axis: number,
  change: (rows: tf.Tensor3D) => tf.Tensor,
): T {
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const sizes = [countElements(before), x.shape[axis], countElements(after)] as const;
  const changed = change(tf.reshape(toTensor(x as Activations), [...sizes]));
  return toActivations(tf.reshape(changed, [...before, changed.shape[1]!, ...after]));
}
