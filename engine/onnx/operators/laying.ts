/**
 * How operators take weights from the file, and lay out tensors.
 *
 * @module
 */
import type { OnnxTensor } from "../../formats/onnx.ts";
import type { WeightTensor } from "../../formats/safetensors.ts";
import type { Activations, Layers } from "../../network/definition.ts";
import { arrange, SAMPLES, settle, type Step, type View } from "../view.ts";

/** Reads a weight as it stands in the file. */
export function readTensor(tensor: OnnxTensor): WeightTensor {
  return { shape: [...tensor.shape], data: Float32Array.from(tensor.read()) };
}

/** Lays a tensor out with one axis as the last physical one, and all others in the order in which they stand. */
export function layLast(view: View, axis: number): { readonly step: Step; readonly view: View } {
  const { view: settled, physical: [last] } = settle(view, [axis]);
  const others = settled.sizes.flatMap((size, i) => i > 0 && size > 1 && i !== last ? [i] : []);
  const groups = [...others.map((i) => [i]), [last]];
  const step = arrange(settled, groups);
  const places = new Map(groups.map(([old], i) => [old, i + 1]));
  return {
    step,
    view: {
      step,
      sizes: [SAMPLES, ...groups.map(([old]) => settled.sizes[old])],
      axes: settled.axes.map((list) =>
        list.flatMap((old) => old === 0 ? [0] : places.get(old) ?? [])
      ),
    },
  };
}

/** Adds two tensors. */
export function plus(layers: Layers, x: Activations, y: Activations | number): Activations {
  return layers.add(x, y);
}
