/**
 * Which tensors of a graph are the weight and bias of a layer, and what the layer is called.
 *
 * @module
 */
import type { OnnxNode, OnnxTensor } from "../formats/onnx.ts";
import { type Graph, isExporterName } from "./graph.ts";

/** The layer that a node is: a convolution, or a dense layer. */
export interface NamedLayer {
  /** Prefix of its tensors' names. */
  readonly name: string;
  readonly weight: OnnxTensor;
  /** Whether the weight stands as `[in, out]`, where a `state_dict` has `[out, in]`. */
  readonly isTransposed: boolean;
  /** Bias that is the layer's own; one that is shared with others is added as a parameter by itself. */
  readonly bias: OnnxTensor | undefined;
}

interface Place {
  readonly node: OnnxNode;
  readonly weight: OnnxTensor;
  readonly isTransposed: boolean;
  readonly bias: OnnxTensor | undefined;
}

/**
 * Finds the layers of a graph by their nodes. A weight that is also used in another way is no layer's: it is a parameter by itself.
 */
export function nameLayers({ nodes, tensors }: Graph): Map<OnnxNode, NamedLayer> {
  const transposed = new Map(
    nodes.filter(({ operator, inputs, attributes }) =>
      operator === "Transpose" && tensors.get(inputs[0])?.shape.length === 2 &&
      `${attributes.get("perm") ?? "1,0"}` === "1,0"
    ).map(({ inputs, outputs }) => [outputs[0], inputs[0]]),
  );
  // a transposition is one way to the tensor, whoever uses it
  const uses = nodes.filter(({ outputs }) => !transposed.has(outputs[0])).flatMap((node) =>
    node.inputs.map((name) => ({ node, tensor: transposed.get(name) ?? name }))
  );
  const places = nodes.flatMap((node): Place[] => {
    const { operator, inputs: [, w = "", b = ""], attributes } = node;
    const isDense = operator === "MatMul" || operator === "Gemm";
    if (!isDense && operator !== "Conv") return [];
    const weight = tensors.get(transposed.get(w) ?? w);
    const bias = tensors.get(b);
    if (!weight?.isFloat || (isDense && weight.shape.length !== 2)) return [];
    const isTransposed = isDense && transposed.has(w) === Boolean(attributes.get("transB") ?? 0);
    return [{ node, weight, isTransposed, bias: bias?.shape.length === 1 ? bias : undefined }];
  });
  const own = places.filter(({ weight, isTransposed, node }) => {
    const shared = places.filter((place) => place.weight === weight);
    const isAlike = shared.every((place) =>
      place.isTransposed === isTransposed &&
      (place.node.operator === "Conv") === (node.operator === "Conv")
    );
    return isAlike && countUses(uses, weight.name) === shared.length;
  });
  const taken = new Map<string, string>();
  return new Map(own.map(({ node, weight, isTransposed, bias }) => {
    const shared = own.filter((place) => place.weight === weight);
    const isOwn = bias !== undefined && shared.every((place) => place.bias === bias) &&
      countUses(uses, bias.name) === shared.length;
    const wanted = isOwn ? chooseName(weight.name, bias.name) : stem(weight.name);
    // a bias of another module's name stays by itself
    const ownBias = isOwn && wanted !== undefined ? bias : undefined;
    let name = wanted ?? stem(weight.name);
    if ((taken.get(name) ?? weight.name) !== weight.name) name = weight.name;
    taken.set(name, weight.name);
    return [node, { name, weight, isTransposed, bias: ownBias }];
  }));
}

function countUses(uses: readonly { readonly tensor: string }[], name: string): number {
  return uses.filter(({ tensor }) => tensor === name).length;
}

/** Takes `.weight` off a tensor's name. */
export function stem(name: string): string {
  return name.replace(/\.weight$/, "");
}

/** Name of a layer by those of its tensors; undefined where they are those of two modules. */
function chooseName(weight: string, bias: string): string | undefined {
  if (isExporterName(weight)) return bias.replace(/\.bias$/, "");
  const name = stem(weight);
  return isExporterName(bias) || bias === `${name}.bias` || !weight.endsWith(".weight")
    ? name
    : undefined;
}
