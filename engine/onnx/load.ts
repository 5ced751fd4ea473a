/**
 * Networks from ONNX files.
 *
 * @module
 */
import { basename } from "node:path";
import { DataError, FileError } from "../errors.ts";
import { decodeOnnx, type OnnxModel } from "../formats/onnx.ts";
import type { Activations, Features, NetworkDefinition } from "../network/definition.ts";
import type { Weights } from "../network/parameters.ts";
import { checkKeys, type OptionNames } from "../options.ts";
import { Call, isHost, type Operator, type PlanState, type Value } from "./call.ts";
import { EXPORT_LINE, type Graph, prepareGraph } from "./graph.ts";
import { nameLayers } from "./layer_names.ts";
import { ARITHMETIC } from "./operators/arithmetic.ts";
import { IMAGES } from "./operators/images.ts";
import { NORMS } from "./operators/norms.ts";
import { PRODUCTS } from "./operators/products.ts";
import { SHAPES } from "./operators/shapes.ts";
import {
  arrange,
  describeSizes,
  findSamples,
  SAMPLES,
  shapeOf,
  Step,
  type View,
  ViewError,
  viewPlain,
} from "./view.ts";

/** A network from an ONNX file. */
export interface OnnxNetwork {
  /** The graph as a definition; its layers are named as in PyTorch's `state_dict`. */
  readonly definition: NetworkDefinition;
  /** The parameters, and running statistics, by the names that the definition gives them. */
  readonly weights: Weights;
  /** Shape of one sample, `[height, width, channels]`; `[1, 1, D]` for a graph over `[N, D]`. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /** Number of logits. */
  readonly classes: number;
  /** Names that weights have by those of the module's `state_dict`, where a layer's are others: `in_proj_weight` is `in_proj_weight.weight`. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Lines on what was passed over in the file, or taken to mean something. */
  readonly notes: readonly string[];
}

/** What an ONNX file does not tell by itself. */
export interface OnnxOptions {
  /** Names of tensors that are buffers of the module, such as a mean to subtract: they are no parameters. Default none. */
  readonly constants?: readonly string[];
}

const ONNX_OPTIONS: OptionNames<OnnxOptions> = { constants: true };

/** Every operator, by its name. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  ...ARITHMETIC,
  ...SHAPES,
  ...PRODUCTS,
  ...IMAGES,
  ...NORMS,
};

/** Sets of operators that are ONNX's own, by their domains. */
const OWN_DOMAINS: readonly string[] = ["", "ai.onnx"];

/**
 * Reads a network from the bytes of a `.onnx` file, as `torch.onnx.export` writes it: a graph from images `[N, C, H, W]` or vectors `[N, D]` to
 * logits `[N, C]`, its weights inside.
 *
 * What counts as parameters are the tensors of the file that the graph uses as a weight or bias, or that it multiplies by or adds; running
 * statistics and constants are none.
 *
 * @param path names the file in errors, and the network
 * @throws {FileError} if the file is truncated or no ONNX model, or its graph is none that lpntk computes; operators that are not supported are
 * all named.
 */
export function loadOnnx(
  bytes: Uint8Array,
  path = "network.onnx",
  options: OnnxOptions = {},
): OnnxNetwork {
  checkKeys("load an ONNX file", options, ONNX_OPTIONS);
  const constants = new Set(options.constants);
  const model = decodeOnnx(bytes, path);
  const graph = prepareGraph(model, path);
  refuseUnknown(graph);
  const { name: input, shape, fixedSamples } = readInput(model, path);
  const images = new Step([], () => {
    throw new Error("the images are given to a pass");
  });
  const values = new Map<string, Value>([[input, viewInput(images, shape)]]);
  const state: PlanState = {
    graph,
    fixedSamples,
    layers: nameLayers(graph),
    values,
    constants,
    scales: new Set(),
    owners: new Map(),
    renamed: new Map(),
  };
  for (const node of graph.nodes) planNode(new Call(state, node), values);
  const logits = values.get(graph.output);
  const plan = planLogits(logits, path);
  const steps = orderSteps(plan.step);
  const loose = listLoose(steps);
  refuseOwned(constants, loose, path);
  const weights: Weights = new Map(steps.flatMap(({ tensors }) => tensors()));
  if (weights.size === 0) {
    throw new FileError(
      path,
      `Cannot load ${path}: got no parameters, need a network with weights`,
    );
  }
  return {
    definition: {
      name: basename(path).replace(/\.onnx$/i, ""),
      takesPixels: shape.length > 1,
      forward: compile(steps, images, toImageShape(shape)),
    },
    weights,
    inputShape: toImageShape(shape),
    classes: plan.classes,
    renamed: state.renamed,
    notes: [...graph.notes, ...describeLoose(loose.filter((name) => !constants.has(name)), graph)],
  };
}

/** @throws {FileError} if operators are not known; the message names all of them, each with one node. */
function refuseUnknown({ nodes, path, opset }: Graph): void {
  const unknown = new Map<string, string>();
  for (const { operator, domain, name } of nodes) {
    const isKnown = OWN_DOMAINS.includes(domain) && Object.hasOwn(OPERATORS, operator);
    const full = OWN_DOMAINS.includes(domain) ? operator : `${domain}.${operator}`;
    if (!isKnown && !unknown.has(full)) unknown.set(full, name);
  }
  if (unknown.size === 0) return;
  const listed = [...unknown].map(([operator, name]) => `${operator} (node '${name}')`).join(", ");
  throw new FileError(
    path,
    `Cannot load ${path}: got operators that are not supported in opset ${opset}: ${listed}; need others`,
  );
}

/** Reads the graph's only input: its name, the sizes of a sample, and the number of samples if it is fixed. */
function readInput({ inputs }: OnnxModel, path: string) {
  const fail = (state: string, need: string) =>
    new FileError(path, `Cannot load ${path}: got ${state}, need ${need}`);
  if (inputs.length !== 1) {
    throw fail(
      `${inputs.length} inputs (${inputs.map(({ name }) => name).join(", ")})`,
      "one, the images",
    );
  }
  const [{ name, dtype, shape }] = inputs;
  const described = `input '${name}' of shape [${shape.join(", ")}]`;
  if (dtype !== "FLOAT" && dtype !== "FLOAT16" && dtype !== "DOUBLE") {
    throw fail(`input '${name}' of ${dtype || "no tensor"}`, "a tensor of floating point");
  }
  if (shape.length !== 2 && shape.length !== 4) {
    throw fail(described, "images [N, C, H, W] or vectors [N, D]");
  }
  const [samples, ...sizes] = shape;
  if (!sizes.every((size) => typeof size === "number" && size >= 1)) {
    throw fail(described, `a free size for the samples alone; export it by ${EXPORT_LINE}`);
  }
  return {
    name,
    shape: sizes as number[],
    fixedSamples: typeof samples === "number" ? samples : undefined,
  };
}

/** The view of images `[N, H, W, C]` as the graph has them. */
function viewInput(images: Step, shape: readonly number[]): View {
  if (shape.length === 1) {
    return viewPlain(new Step([images], (layers, [x]) => layers.reshape(x, shape)), shape);
  }
  const [channels, height, width] = shape;
  return { ...viewPlain(images, [height, width, channels]), axes: [[0], [3], [1], [2]] };
}

function toImageShape(shape: readonly number[]): OnnxNetwork["inputShape"] {
  if (shape.length === 1) return [1, 1, shape[0]];
  const [channels, height, width] = shape;
  return [height, width, channels];
}

function planNode(call: Call, values: Map<string, Value>): void {
  const { operator, outputs } = call.node;
  try {
    const results = [OPERATORS[operator](call)].flat() as readonly Value[];
    outputs.forEach((name, i) => {
      if (results[i]) values.set(name, results[i]);
    });
  } catch (error) {
    if (error instanceof FileError) throw error;
    if (error instanceof ViewError) {
      throw call.fail(error.message, "a network that computes each sample by itself");
    }
    throw call.fail("inputs or attributes that do not fit", "those of the operator", error);
  }
}

/** @throws {FileError} if the output is not `[N, classes]`. */
function planLogits(logits: Value | undefined, path: string) {
  const shape = logits && !isHost(logits) ? shapeOf(logits) : undefined;
  const isFit = shape?.length === 2 && shape[0] === SAMPLES && shape[1] % SAMPLES !== 0;
  if (!isFit || !logits || isHost(logits) || findSamples(logits) !== 0) {
    throw new FileError(
      path,
      `Cannot load ${path}: got an output ${
        shape ? `[${describeSizes(shape)}]` : "that does not depend on the images"
      }, need logits [N, C]`,
    );
  }
  return { step: arrange(logits, [logits.axes[1]]), classes: shape[1] };
}

/** Lists a step and all that it depends on, in the order of the graph. */
function orderSteps(last: Step): Step[] {
  const found = new Set([last]);
  for (const step of found) step.inputs.forEach((input) => found.add(input));
  return [...found].sort((a, b) => a.order - b.order);
}

/** Lists tensors of the file that are no module's weight or bias, by name: parameters by themselves, or constants. */
function listLoose(steps: readonly Step[]): string[] {
  const names = new Set(steps.flatMap(({ source }) => source ?? []));
  return [...names].filter((name) => !/(^|[._])(weight|bias)$/.test(name));
}

/** @throws {FileError} if a constant is none of the tensors by themselves. */
function refuseOwned(constants: ReadonlySet<string>, loose: readonly string[], path: string): void {
  const unknown = [...constants].filter((name) => !loose.includes(name));
  if (unknown.length === 0) return;
  throw new FileError(
    path,
    `Cannot load ${path}: got constants ${
      unknown.join(", ")
    }, need tensors that no layer owns, of ${loose.join(", ") || "which it has none"}`,
  );
}

/** A line on parameters by themselves: ONNX does not tell a module's buffers from its parameters. */
function describeLoose(loose: readonly string[], { path, tensors }: Graph): string[] {
  if (loose.length === 0) return [];
  const listed = loose.map((name) => `${name} [${tensors.get(name)!.shape.join(", ")}]`).join(", ");
  return [
    `${path} has tensors that no layer owns, which count as parameters: ${listed}; if some are buffers, which ONNX does not tell apart, name them in loadOnnx's constants, or leave all of them out by parameters "weights"`,
  ];
}

/** Makes the forward pass: every step in turn, with the results of earlier ones. */
function compile(
  steps: readonly Step[],
  images: Step,
  inputShape: readonly number[],
): NetworkDefinition["forward"] {
  const places = new Map(steps.map((step, place) => [step, place]));
  const calls = steps.map((step) => ({
    run: step.run,
    inputs: step.inputs.map((input) => places.get(input)!),
  }));
  const first = places.get(images);
  return (layers, input) => {
    if (input.shape.slice(1).join() !== inputShape.join()) {
      throw new DataError(
        `Cannot use samples of shape [${
          input.shape.slice(1).join(", ")
        }]: got a network of an ONNX file, whose shape is fixed, need [${inputShape.join(", ")}]`,
      );
    }
    const results: Activations[] = [];
    calls.forEach(({ run, inputs }, place) => {
      results.push(
        place === first ? input : run(layers, inputs.map((i) => results[i])),
      );
    });
    return results.at(-1) as Features;
  };
}
