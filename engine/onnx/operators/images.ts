/**
 * Operators on images: convolutions and pooling.
 *
 * @module
 */
import type { FeatureMaps } from "../../network/definition.ts";
import type { Call, Operator } from "../call.ts";
import { arrange, describeSizes, SAMPLES, shapeOf, Step, type View, viewPlain } from "../view.ts";
import { combine } from "./arithmetic.ts";
import { plus, readTensor } from "./laying.ts";

/** Geometry of a window that moves over an image. */
interface Window {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Top, right, bottom, left. */
  readonly pad: readonly [number, number, number, number];
  readonly outputs: readonly [number, number];
}

type Pair = readonly [number, number];

/** Reads how a window moves over an image of this size. */
function readWindow(call: Call, image: Pair, size: Pair, ceil = false): Window {
  const pair = (name: string, missing: Pair): Pair =>
    (call.attribute<readonly number[]>(name) ?? missing) as Pair;
  const stride = pair("strides", [1, 1]);
  const dilation = pair("dilations", [1, 1]);
  const given = call.attribute<readonly number[]>("pads") ?? [0, 0, 0, 0];
  const mode = call.attribute<string>("auto_pad") ?? "NOTSET";
  const reach = ([0, 1] as const).map((axis) => dilation[axis] * (size[axis] - 1) + 1);
  const sides = ([0, 1] as const).map((axis): Pair => {
    if (mode === "NOTSET") return [given[axis], given[axis + 2]];
    if (mode === "VALID") return [0, 0];
    const outputs = Math.ceil(image[axis] / stride[axis]);
    const total = Math.max((outputs - 1) * stride[axis] + reach[axis] - image[axis], 0);
    const less = Math.floor(total / 2);
    return mode === "SAME_UPPER" ? [less, total - less] : [total - less, less];
  });
  const outputs = ([0, 1] as const).map((axis) => {
    const [before, after] = sides[axis];
    const steps = (image[axis] + before + after - reach[axis]) / stride[axis];
    if (!ceil) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    // no window begins in the padding behind the image
    return (count - 1) * stride[axis] >= image[axis] + before ? count - 1 : count;
  });
  return {
    size,
    stride,
    dilation,
    pad: [sides[0][0], sides[1][1], sides[0][1], sides[1][0]],
    outputs: outputs as [number, number],
  };
}

/** A list as one number where all are the same, as a definition is written by hand. */
function shorten<T extends readonly number[]>(list: T): number | T {
  return list.every((value) => value === list[0]) ? list[0] : list;
}

/** Lays out images as `[N, H, W, C]`. */
function layImages(
  call: Call,
  input = 0,
): { readonly step: Step; readonly image: Pair; readonly channels: number } {
  const view = call.view(input);
  if (view.axes.length !== 4) {
    throw call.fail(`a tensor of ${view.axes.length} axes`, "images [N, C, H, W]");
  }
  const isSamples = view.axes[0].length === 1 && view.axes[0][0] === 0;
  if (!isSamples) {
    throw call.fail(
      `[${describeSizes(shapeOf(view))}], whose first axis is not the samples`,
      "images [N, C, H, W]",
    );
  }
  const [, channels, height, width] = shapeOf(view);
  const [, c, h, w] = view.axes;
  return { step: arrange(view, [h, w, c]), image: [height, width], channels };
}

function viewImages(step: Step, [height, width]: Pair, channels: number): View {
  return { ...viewPlain(step, [height, width, channels]), axes: [[0], [3], [1], [2]] };
}

const convolution: Operator = (call) => {
  const { layer } = call;
  if (!layer) {
    const tensor = call.tensor(1);
    throw call.fail(
      !tensor
        ? "a weight that is computed"
        : tensor.isFloat
        ? "a weight that other nodes use too"
        : `a weight of integers (${tensor.dtype})`,
      "a weight of its own in floating point",
    );
  }
  const { weight, bias } = layer;
  if (weight.shape.length !== 4) {
    throw call.fail(`a weight of ${weight.shape.length} axes`, "a convolution over two");
  }
  const { step, image } = layImages(call);
  const [filters, , height, width] = weight.shape;
  const window = readWindow(call, image, [height, width]);
  const groups = call.attribute<number>("group") ?? 1;
  const name = call.own(layer.name, weight.name);
  const options = {
    filters,
    size: shorten(window.size),
    stride: shorten(window.stride),
    pad: shorten(window.pad),
    dilation: shorten(window.dilation),
    groups,
    bias: bias !== undefined,
  };
  const convolved = new Step(
    [step],
    (layers, [x]) => layers.convolution(name, x as FeatureMaps, options),
    () => [
      [`${name}.weight`, readTensor(weight)],
      ...bias ? [[`${name}.bias`, readTensor(bias)] as const] : [],
    ],
  );
  const view = viewImages(convolved, window.outputs, filters);
  if (!call.has(2) || bias) return view;
  const shared = call.view(2);
  return combine(view, { ...shared, axes: [...shared.axes, [], []] }, plus);
};

/**
 * Refuses a window that begins in the padding that a node before adds behind the image: PyTorch writes an average over padding so, and leaves
 * such a window out itself.
 */
function refuseBesideImage(call: Call, image: Pair, { outputs, stride }: Window): void {
  const maker = call.maker(0);
  if (maker?.node.operator !== "Pad") return;
  const behind = maker.integersOf("pads", 1)!.slice(-2);
  const isBeside = image.some((size, axis) =>
    (outputs[axis] - 1) * stride[axis] >= size - Math.max(behind[axis], 0)
  );
  if (isBeside) {
    throw call.fail("a window that begins in padding", "ceil_mode=False, or no padding");
  }
}

const pool = (kind: "maxPool" | "averagePool"): Operator => (call) => {
  const { step, image, channels } = layImages(call);
  const size = call.attribute<Pair>("kernel_shape")!;
  const ceil = call.attribute<number>("ceil_mode") === 1;
  const window = readWindow(call, image, size, ceil);
  if (shorten(window.dilation) !== 1) throw call.fail("a dilated window", "dilations of 1");
  if (kind === "averagePool" && ceil) refuseBesideImage(call, image, window);
  const countPad = call.attribute<number>("count_include_pad") === 1;
  const isPadded = window.pad.some((side) => side !== 0);
  const options = {
    stride: shorten(window.stride),
    pad: shorten(window.pad),
    ceil,
    ...kind === "averagePool" && { countPad: countPad || !isPadded && !ceil },
  };
  const pooled = new Step(
    [step],
    (layers, [x]) => layers[kind](x as FeatureMaps, shorten(size), options),
  );
  return viewImages(pooled, window.outputs, channels);
};

const globalAverage: Operator = (call) => {
  const { step, channels } = layImages(call);
  const pooled = new Step([step], (layers, [x]) => layers.globalAverage(x as FeatureMaps));
  return { step: pooled, sizes: [SAMPLES, channels], axes: [[0], [1], [], []] };
};

const globalMax: Operator = (call) => {
  const { step, image, channels } = layImages(call);
  const size = shorten(image);
  const pooled = new Step([step], (layers, [x]) => layers.maxPool(x as FeatureMaps, size));
  return viewImages(pooled, [1, 1], channels);
};

/** Operators on images, by their names. */
export const IMAGES: Readonly<Record<string, Operator>> = {
  Conv: convolution,
  MaxPool: pool("maxPool"),
  AveragePool: pool("averagePool"),
  GlobalAveragePool: globalAverage,
  GlobalMaxPool: globalMax,
};
