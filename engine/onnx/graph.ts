/**
 * A graph before it is planned: aliases of tensors told apart, what the logits do not depend on left out, and operators that PyTorch writes as
 * several joined to what they are.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import type { OnnxModel, OnnxNode, OnnxTensor } from "../formats/onnx.ts";
import { countElements } from "../formats/shape.ts";

/** A graph that is ready to be planned. */
export interface Graph {
  readonly path: string;
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  /** Tensors in the file by name; aliases are resolved. */
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Name of the tensor that is the logits. */
  readonly output: string;
  /** Lines on what the graph was taken to mean. */
  readonly notes: readonly string[];
}

/** Oldest set of operators whose meaning is known here. */
const OLDEST_OPSET = 11;

/** Words for how to export a network so that it can be read. */
export const EXPORT_LINE =
  "torch.onnx.export(model.eval(), images[:1], file, input_names=['images'], dynamic_axes={'images': {0: 'n'}}, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)";

/** Edges of a graph: which node makes a tensor, and which use it. */
class Edges {
  readonly #makers = new Map<string, OnnxNode>();
  readonly #users = new Map<string, OnnxNode[]>();

  constructor(nodes: readonly OnnxNode[], private readonly output: string) {
    for (const node of nodes) {
      for (const name of node.outputs) this.#makers.set(name, node);
      for (const name of node.inputs) this.#users.set(name, [...this.usersOf(name), node]);
    }
  }

  makerOf(name: string): OnnxNode | undefined {
    return this.#makers.get(name);
  }

  usersOf(name: string): OnnxNode[] {
    return this.#users.get(name) ?? [];
  }

  /** The only node that uses a tensor; undefined where there are several, or it is the logits. */
  onlyUserOf(name: string): OnnxNode | undefined {
    const users = this.usersOf(name);
    return users.length === 1 && name !== this.output ? users[0] : undefined;
  }
}

/**
 * Prepares a model's graph.
 *
 * @throws {FileError} if its set of operators is too old, or it has no single output.
 */
export function prepareGraph(model: OnnxModel, path: string): Graph {
  if (model.opset < OLDEST_OPSET) {
    throw new FileError(
      path,
      `Cannot load ${path}: got opset ${model.opset}, need ${OLDEST_OPSET} or newer; export it with opset_version=17`,
    );
  }
  if (model.outputs.length !== 1) {
    throw new FileError(
      path,
      `Cannot load ${path}: got ${model.outputs.length} outputs (${
        model.outputs.map(({ name }) => name).join(", ")
      }), need one, the logits [N, C]`,
    );
  }
  const notes: string[] = [];
  const { nodes: named, tensors, sources } = resolveAliases(model);
  const shared = [...sources].filter(([, source]) => tensors.get(source)?.isFloat);
  if (shared.length > 0) {
    const [[name, source]] = shared;
    notes.push(
      `${path} has ${shared.length} tensors under two names, such as ${name}, which is ${source}: each is one parameter, used twice; if they are apart in the module and merely equal, train it or change one of them before the export`,
    );
  }
  let output = model.outputs[0].name;
  const ending = findSoftmax(named, output, path);
  if (ending) {
    output = ending.logits;
    notes.push(
      `${path} ends with ${ending.description}, which is taken off: kernels are of logits`,
    );
  }
  const live = keepLive(named, output);
  const folded = findFolded(live, tensors);
  if (folded !== undefined) {
    notes.push(
      `${path} has tensors that the exporter made, such as ${folded}: batch norms and other constants are folded into them, so that these parameters are others than the module's; export it with training=torch.onnx.TrainingMode.PRESERVE and do_constant_folding=False to keep them apart`,
    );
  }
  const joined = keepLive(joinPatterns(live, tensors, output), output);
  return { path, opset: model.opset, nodes: joined, tensors, output, notes };
}

/**
 * Finds a softmax of each sample's logits, or its logarithm, that makes the output.
 *
 * @throws {FileError} if it is over the samples.
 */
function findSoftmax(nodes: readonly OnnxNode[], output: string, path: string) {
  const makerOf = (name: string) => nodes.find(({ outputs }) => outputs.includes(name));
  const last = makerOf(output);
  const inner = last?.operator === "Log" ? makerOf(last.inputs[0]) : undefined;
  const isLog = inner?.operator === "Softmax";
  const softmax = isLog ? inner : last;
  if (softmax?.operator !== "Softmax" && softmax?.operator !== "LogSoftmax") return undefined;
  const { operator, name, attributes, inputs: [logits] } = softmax;
  // of logits [N, C]
  const axis = Number(attributes.get("axis") ?? -1);
  if (axis === 0 || axis === -2) {
    throw new FileError(
      path,
      `Cannot load ${path}: got samples that act on one another at node '${name}' (${operator}), need a network that computes each sample by itself`,
    );
  }
  return { logits, description: isLog ? `Log of ${operator}` : operator };
}

/** Whether an exporter made up a tensor's name; a `state_dict` has none of its kind. */
export function isExporterName(name: string): boolean {
  return /^(onnx::|\/|(val_)?\d+$)/.test(name);
}

/** Finds a tensor of an exporter's making that is no weight of a dense layer, which exporters merely transpose. */
function findFolded(nodes: readonly OnnxNode[], tensors: Graph["tensors"]): string | undefined {
  return nodes.filter(({ operator }) => operator !== "MatMul" && operator !== "Gemm")
    .flatMap(({ inputs }) => inputs).find((name) => {
      const tensor = tensors.get(name);
      return tensor?.isFloat && countElements(tensor.shape) > 1 && isExporterName(name);
    });
}

/**
 * Tells aliases apart. PyTorch exports tensors of equal elements once, and the others as `Identity` of it: those whose elements are all one
 * number are merely as yet untrained, and tensors of their own; any others are one tensor, used several times.
 */
function resolveAliases({ nodes, tensors }: OnnxModel) {
  const all = new Map(tensors);
  const sources = new Map<string, string>();
  const rest: OnnxNode[] = [];
  for (const node of nodes) {
    const inputs = node.inputs.map((name) => sources.get(name) ?? name);
    const tensor = node.operator === "Identity" ? all.get(inputs[0]) : undefined;
    if (!tensor) {
      rest.push({ ...node, inputs });
      continue;
    }
    const [name] = node.outputs;
    if (tensor.isFloat && isUniform(tensor)) all.set(name, { ...tensor, name });
    else sources.set(name, inputs[0]);
  }
  return { nodes: rest, tensors: all, sources };
}

function isUniform(tensor: OnnxTensor): boolean {
  const data = tensor.read();
  return data.every((value) => value === data[0]);
}

/** Leaves out nodes that the logits do not depend on. */
function keepLive(nodes: readonly OnnxNode[], output: string): OnnxNode[] {
  const wanted = new Set([output]);
  return nodes.toReversed().filter(({ inputs, outputs }) => {
    const isLive = outputs.some((name) => wanted.has(name));
    if (isLive) inputs.forEach((name) => wanted.add(name));
    return isLive;
  }).toReversed();
}

/** A node that stands for several. */
function join(
  node: OnnxNode,
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
): OnnxNode {
  return { ...node, operator, inputs, outputs, domain: "" };
}

/** Joins a matrix product and the sum with its bias, SiLU and GELU, wherever they are exactly these. */
function joinPatterns(
  nodes: readonly OnnxNode[],
  tensors: Graph["tensors"],
  output: string,
): OnnxNode[] {
  const edges = new Edges(nodes, output);
  const replaced = new Map<OnnxNode, OnnxNode>();
  for (const node of nodes) {
    const joined = node.operator === "MatMul"
      ? joinBias(node, edges, tensors)
      : node.operator === "Sigmoid"
      ? joinSilu(node, edges)
      : node.operator === "Erf"
      ? joinGelu(node, edges, tensors)
      : undefined;
    // at its last node, where all inputs are there
    if (joined) replaced.set(edges.makerOf(joined.outputs[0])!, joined);
  }
  return nodes.map((node) => replaced.get(node) ?? node);
}

/** The tensor in the file that a name is, also where it is transposed on the way. */
function traceTensor(name: string, edges: Edges, tensors: Graph["tensors"]) {
  const maker = edges.makerOf(name);
  const source = maker?.operator === "Transpose" ? maker.inputs[0] : name;
  return tensors.get(source);
}

function joinBias(node: OnnxNode, edges: Edges, tensors: Graph["tensors"]): OnnxNode | undefined {
  const [x, w] = node.inputs;
  const weight = traceTensor(w, edges, tensors);
  const [product] = node.outputs;
  const user = edges.onlyUserOf(product);
  if (weight?.shape.length !== 2 || user?.operator !== "Add") return undefined;
  const bias = user.inputs.find((name) => name !== product) ?? "";
  const isTurned = !tensors.has(w);
  const units = weight.shape[isTurned ? 0 : 1];
  const { shape, isFloat } = tensors.get(bias) ?? {};
  // one of another length is broadcast, and an addition by itself
  if (!isFloat || shape?.length !== 1 || shape[0] !== units) return undefined;
  return join(node, "MatMul", [x, w, bias], user.outputs);
}

/** `x * sigmoid(x)`. */
function joinSilu(node: OnnxNode, edges: Edges): OnnxNode | undefined {
  const user = edges.onlyUserOf(node.outputs[0]);
  if (user?.operator !== "Mul" || !user.inputs.includes(node.inputs[0])) return undefined;
  return join(user, "Silu", node.inputs, user.outputs);
}

/** `x * (erf(x / sqrt(2)) + 1) * 0.5`. */
function joinGelu(node: OnnxNode, edges: Edges, tensors: Graph["tensors"]): OnnxNode | undefined {
  const number = (name: string) => readNumber(name, edges, tensors);
  const scale = edges.makerOf(node.inputs[0]);
  if (scale?.operator !== "Div" || number(scale.inputs[1]) !== Math.fround(Math.SQRT2)) {
    return undefined;
  }
  const [x] = scale.inputs;
  const step = (name: string, operator: string, isOther: (other: string) => boolean) => {
    const user = edges.onlyUserOf(name);
    const other = user?.inputs.find((input) => input !== name);
    return user?.operator === operator && other !== undefined && isOther(other)
      ? user.outputs[0]
      : undefined;
  };
  const isHalf = (name: string) => number(name) === 0.5;
  const plusOne = step(node.outputs[0], "Add", (name) => number(name) === 1);
  if (plusOne === undefined) return undefined;
  const product = step(plusOne, "Mul", (name) => name === x);
  const result = product === undefined ? undefined : step(product, "Mul", isHalf);
  return result === undefined ? undefined : join(node, "Gelu", [x], [result]);
}

/** The number that a constant or a tensor of the exporter's is; undefined for any other, such as a parameter. */
function readNumber(name: string, edges: Edges, tensors: Graph["tensors"]): number | undefined {
  const maker = edges.makerOf(name);
  const tensor = isExporterName(name) ? tensors.get(name) : undefined;
  const value = maker?.operator === "Constant" ? maker.attributes.get("value") : tensor;
  if (typeof value !== "object" || !("read" in value)) return undefined;
  const data = value.read();
  return data.length === 1 ? data[0] : undefined;
}
