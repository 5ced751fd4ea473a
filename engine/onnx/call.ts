/**
 * One node of a graph while it is planned: its inputs, its attributes, and the errors that name it.
 *
 * @module
 */
import { FileError } from "../errors.ts";
import type { OnnxNode, OnnxTensor } from "../formats/onnx.ts";
import { countElements } from "../formats/shape.ts";
import { findUniform, type HostTensor, makeHost } from "./host.ts";
import { type Graph, isExporterName } from "./graph.ts";
import type { NamedLayer } from "./layer_names.ts";
import { describeSizes, SAMPLES, shapeOf, Step, type View } from "./view.ts";

/** A tensor of the graph: on the device for every sample, or on the host while the graph is planned. */
export type Value = View | HostTensor;

/** Whether a value is computed on the host. */
export function isHost(value: Value): value is HostTensor {
  return "data" in value;
}

/** What all nodes of a plan share. */
export interface PlanState {
  readonly graph: Graph;
  /** Number of samples that the file fixes; undefined where it is free. */
  readonly fixedSamples: number | undefined;
  readonly layers: ReadonlyMap<OnnxNode, NamedLayer>;
  readonly values: Map<string, Value>;
  /** Names of tensors in the file that are no parameters. */
  readonly constants: ReadonlySet<string>;
  /** Names of parameters that multiply: a new network's norm weights start at 1. */
  readonly scales: Set<string>;
  /** Tensors by the name of the layer that has them. */
  readonly owners: Map<string, string>;
  /** Names that weights have, where the file has others. */
  readonly renamed: Map<string, string>;
}

/** One node with its inputs. */
export class Call {
  constructor(private readonly state: PlanState, readonly node: OnnxNode) {}

  get opset(): number {
    return this.state.graph.opset;
  }

  get fixedSamples(): number | undefined {
    return this.state.fixedSamples;
  }

  /** The layer that the node is, where its weight is its own. */
  get layer(): NamedLayer | undefined {
    return this.state.layers.get(this.node);
  }

  has(input: number): boolean {
    return Boolean(this.node.inputs[input]);
  }

  /** The tensor in the file that an input is; undefined where it is computed. */
  tensor(input: number): OnnxTensor | undefined {
    return this.state.graph.tensors.get(this.node.inputs[input] ?? "");
  }

  /** The node that makes an input; undefined where none does. */
  maker(input: number): Call | undefined {
    const name = this.node.inputs[input];
    const node = this.state.graph.nodes.find(({ outputs }) => outputs.includes(name));
    return node && new Call(this.state, node);
  }

  value(input: number): Value {
    const name = this.node.inputs[input] ?? "";
    const { graph: { tensors }, values } = this.state;
    const known = values.get(name);
    if (known) return known;
    const tensor = tensors.get(name);
    if (!tensor) {
      throw this.fail(
        name === "" ? `no input ${input}` : `input '${name}', which no node makes`,
        "it",
      );
    }
    const value = this.#enter(tensor);
    values.set(name, value);
    return value;
  }

  /** An input on the device. */
  view(input: number): View {
    const value = this.value(input);
    if (!isHost(value)) return value;
    if (value.isFloat && value.data.every(Number.isFinite)) return viewConstant(value);
    throw this.fail(
      `a constant array of ${
        value.isFloat ? "numbers that are not finite" : "integers"
      } of shape [${describeSizes(value.shape)}] for input ${input}`,
      "a tensor of the samples, or finite numbers in floating point",
    );
  }

  /** An input that has to be known while the graph is planned: no tensor of a module's own in floating point, which is a parameter. */
  host(input: number): HostTensor {
    const tensor = this.tensor(input);
    if (tensor && isExporterName(tensor.name)) return readHost(tensor);
    const value = this.value(input);
    if (isHost(value)) return value;
    throw this.fail(
      tensor
        ? `the parameter '${tensor.name}' for input ${input}, which is not supported`
        : `input ${input} that depends on the samples or on parameters, which is not supported`,
      "a constant",
    );
  }

  /** An input that is one number; `missing` where it is left out. */
  number(input: number, missing: number): number {
    if (!this.has(input)) return missing;
    const number = findUniform(this.host(input));
    if (number === undefined) throw this.fail(`several numbers for input ${input}`, "one");
    return number;
  }

  /** Integers that are an attribute in older sets of operators and an input in newer ones. */
  integersOf(attribute: string, input: number): readonly number[] | undefined {
    if (this.has(input)) return this.host(input).data;
    return this.attribute<readonly number[]>(attribute);
  }

  attribute<T extends number | string | readonly number[] | OnnxTensor>(
    name: string,
  ): T | undefined {
    return this.node.attributes.get(name) as T | undefined;
  }

  /** An axis counted from 0. */
  axis(axis: number, rank: number): number {
    const positive = axis < 0 ? axis + rank : axis;
    if (positive >= 0 && positive < rank) return positive;
    throw this.fail(`axis ${axis}`, `one of ${rank}`);
  }

  fail(state: string, need: string, cause?: unknown): FileError {
    const { operator, name } = this.node;
    const { path } = this.state.graph;
    return new FileError(
      path,
      `Cannot load ${path}: got ${state} at node '${name}' (${operator}), need ${need}`,
      { cause },
    );
  }

  /** Notes that a tensor in the file multiplies. */
  noteScale(view: View): void {
    let { step } = view;
    while (step.source === undefined && step.inputs.length === 1) [step] = step.inputs;
    if (step.source !== undefined) this.state.scales.add(step.source);
  }

  /**
   * Takes a name for a layer, or refuses it where another tensor has it.
   *
   * @param tensor name of the tensor in the file that the layer is named after
   */
  own(name: string, tensor: string): string {
    const owner = this.state.owners.get(name);
    if (owner !== undefined && owner !== tensor) {
      throw this.fail(`tensor '${name}' twice`, "tensors of names of their own");
    }
    this.state.owners.set(name, tensor);
    return name;
  }

  /** Records the name that a layer gives a tensor of the module. */
  rename({ name }: OnnxTensor, own: string): void {
    if (name !== own && !isExporterName(name)) this.state.renamed.set(name, own);
  }

  /** The view of a tensor in the file; only where it is used by itself does the plan make it a parameter. */
  #enter(tensor: OnnxTensor): Value {
    if (!tensor.isFloat) return readHost(tensor);
    // a number that the exporter moved among the tensors
    if (isExporterName(tensor.name) && countElements(tensor.shape) === 1) return readHost(tensor);
    const { name, shape } = tensor;
    const { constants, scales } = this.state;
    const values = Float32Array.from(tensor.read());
    // a norm begins anew; how a module draws any other tensor by itself is not known
    const begin = () =>
      name.endsWith("bias") ? 0 : name.endsWith("weight") && scales.has(name) ? 1 : values;
    const step = constants.has(name)
      ? new Step([], (layers) => layers.constant(values, shape), undefined, name)
      : new Step(
        [],
        (layers) => layers.parameter(name, shape, { initial: begin() }),
        () => [[name, { shape: [...shape], data: values }]],
        name,
      );
    return { step, sizes: [SAMPLES, ...shape], axes: shape.map((_, axis) => [axis + 1]) };
  }
}

/** Makes the view of numbers that are no parameters, the same for all samples. */
function viewConstant({ shape, data }: HostTensor): View {
  const values = Float32Array.from(data);
  const step = new Step([], (layers) => layers.constant(values, shape));
  return { step, sizes: [SAMPLES, ...shape], axes: shape.map((_, axis) => [axis + 1]) };
}

/** Reads a tensor in the file to the host. */
export function readHost(tensor: OnnxTensor): HostTensor {
  const data = tensor.read();
  return makeHost(tensor.shape, (i) => data[i], tensor.isFloat);
}

/** Describes a value's shape in errors. */
export function shapeOfValue(value: Value): readonly number[] {
  return isHost(value) ? value.shape : shapeOf(value);
}

/** Plans one node: what its output is. */
export type Operator = (call: Call) => Value | readonly Value[];
