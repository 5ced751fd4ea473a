/**
 * Networks as `--model` names them: built in, or the default export of a module.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type Dataset,
  type Engine,
  FileError,
  lenet5,
  lenetLarge,
  loadOnnx,
  loadWeights,
  mlp,
  type Network,
  type NetworkDefinition,
  type OnnxNetwork,
  resnet18,
  resnet18Bn,
  resnet18Narrow,
  resnet8,
  resnet8Narrow,
  type Weights,
} from "../mod.ts";
import { readBytes } from "../engine/files/file.ts";
import { hashFile } from "./output.ts";
import { say } from "./print.ts";
import { UsageError } from "./usage.ts";

/** The built-in networks by the name that `--model` takes. */
export const MODELS: Readonly<Record<string, NetworkDefinition>> = Object.fromEntries(
  [lenet5, lenetLarge, mlp, resnet8, resnet8Narrow, resnet18, resnet18Narrow, resnet18Bn].map((
    model,
  ) => [model.name, model]),
);

/** Values that `--model` takes, for help and messages. */
export const MODEL_NEED = `${Object.keys(MODELS).join(", ")}, an .onnx file or a .ts file`;

/** Whether `--model` takes a value: a built-in network's name, or the path of a file with a network of one's own. */
export function namesModel(model: string): boolean {
  return Object.hasOwn(MODELS, model) || /[/\\]|\.m?[jt]s$/.test(model) || isOnnx(model);
}

/** Whether a path is that of an ONNX file, which holds a network with its weights. */
export function isOnnx(path: string): boolean {
  return /\.onnx$/i.test(path);
}

/** Reads an ONNX file. */
export async function readOnnx(path: string): Promise<OnnxNetwork> {
  return loadOnnx(await readBytes(path, "an .onnx file"), path);
}

/**
 * Returns the file with a network's weights: the one that is named, or the ONNX file that is the network.
 *
 * @throws {UsageError} if there is neither.
 */
export function chooseWeights(
  { model, weights }: { readonly model: string; readonly weights?: string },
): string {
  if (weights !== undefined) return weights;
  if (isOnnx(model)) return model;
  throw new UsageError(`got --model ${model} alone, need --weights too`);
}

/** Longest time that the import of a module may take, in milliseconds, with its downloads and its top-level `await`. */
const PATIENCE_MS = 30_000;

/**
 * Loads a built-in network, the graph of an ONNX file, or the default export of a module. Lines on standard error tell what was passed over in a
 * graph.
 *
 * @throws {FileError} if the file cannot be read, or the module cannot be imported, does not end, or exports no network definition.
 */
export async function loadDefinition(
  model: string,
  { patienceMs = PATIENCE_MS }: { readonly patienceMs?: number } = {},
): Promise<NetworkDefinition> {
  if (Object.hasOwn(MODELS, model)) return MODELS[model];
  if (isOnnx(model)) {
    const { definition, notes } = await readOnnx(model);
    for (const note of notes) say(`lpntk: ${note}`);
    return definition;
  }
  const fail = (state: string, { mend = "", cause }: { mend?: string; cause?: unknown } = {}) =>
    new FileError(
      model,
      `Cannot use ${model} as a network: got ${state}, need a module whose default export is a NetworkDefinition, { name, forward }${mend}`,
      { cause },
    );
  // checked first, since the import's own error would name the file that imports
  const entry = await Deno.stat(model).catch(() => undefined);
  if (!entry?.isFile) throw fail(entry ? "no regular file" : "no such file");
  const module = await importWithin(model, patienceMs).catch(async (cause) => {
    throw fail(describeFailure(cause), { mend: await suggestTypes(model, cause), cause });
  });
  if (module === undefined) {
    throw fail(`a module whose top-level await has not ended after ${patienceMs / 1000} s`, {
      mend: "; if it was still downloading, the same call goes on",
    });
  }
  if (!Object.hasOwn(module, "default")) throw fail("no default export");
  const { default: definition } = module;
  const { name, forward } = Object(definition) as Partial<NetworkDefinition>;
  if (typeof definition === "function" && forward === undefined) {
    throw fail("a default export that is a function", { mend: ", with that function as forward" });
  }
  if (typeof name !== "string") throw fail(`a default export whose name is ${typeof name}`);
  if (typeof forward !== "function") {
    throw fail(`a default export whose forward is ${typeof forward}`);
  }
  return definition as NetworkDefinition;
}

/** Imports a module; undefined if that takes too long, or never ends. */
async function importWithin(
  path: string,
  patienceMs: number,
): Promise<Record<string, unknown> | undefined> {
  let timer: number | undefined;
  // the timer keeps the process alive, which would otherwise end where nothing is left to wait for
  const end = new Promise<undefined>((resolve) => timer = setTimeout(resolve, patienceMs));
  try {
    return await Promise.race([import(pathToFileURL(resolve(path)).href), end]);
  } finally {
    clearTimeout(timer);
  }
}

/** Mend for a module that imports values of lpntk where the package is not found. */
async function suggestTypes(path: string, cause: unknown): Promise<string> {
  const isMissing = (cause as { code?: unknown } | undefined)?.code === "ERR_MODULE_NOT_FOUND";
  if (!isMissing || !/from\s*["']lpntk["']/.test(await Deno.readTextFile(path))) return "";
  return "; it needs nothing of lpntk at run time: write `import type`, and layers.relu for relu, and so on";
}

/** Describes what a module threw, which may be any value. */
function describeFailure(cause: unknown): string {
  try {
    return cause instanceof Error
      ? String(cause)
      : `a thrown ${JSON.stringify(cause) ?? String(cause)}`;
  } catch {
    return "a thrown object";
  }
}

/** Reads weights: those of an ONNX file, or a `state_dict` as `.safetensors`. */
async function readWeights(path: string): Promise<Weights> {
  return isOnnx(path) ? (await readOnnx(path)).weights : await loadWeights(path);
}

/** Reads a `state_dict` for the network of an ONNX file, whose layers may name a tensor otherwise than the module does. */
async function readRenamed(path: string, model: string): Promise<Weights> {
  const { renamed } = await readOnnx(model);
  const weights = await loadWeights(path);
  return new Map([...weights].map(([name, tensor]) => [renamed.get(name) ?? name, tensor]));
}

/** Names weights of the network of an ONNX file as the module's `state_dict` does; other networks' have its names. */
export async function restoreNames(weights: Weights, model: string): Promise<Weights> {
  if (!isOnnx(model)) return weights;
  const { renamed } = await readOnnx(model);
  const names = new Map([...renamed].map(([name, own]) => [own, name]));
  return new Map([...weights].map(([own, tensor]) => [names.get(own) ?? own, tensor]));
}

/**
 * Loads a network with weights from a file; lines on standard error tell what was passed over in it. The caller disposes it.
 *
 * @param shape of an image
 */
export async function loadNetwork(
  engine: Engine,
  { model, weights }: { readonly model: string; readonly weights: string },
  shape: Dataset["shape"],
): Promise<Network> {
  const network = engine.network(
    await loadDefinition(model),
    isOnnx(model) && !isOnnx(weights)
      ? await readRenamed(weights, model)
      : await readWeights(weights),
    shape,
  );
  const { prefix, leftOut } = network.loading;
  if (prefix !== "") say(`lpntk: took '${prefix}' off every name in ${weights}`);
  if (leftOut.length > 0) {
    say(
      `lpntk: left out of ${weights} what is neither floating-point nor the network's: ${
        leftOut.join(", ")
      }`,
    );
  }
  return network;
}

/** Identifier of a network, for the record: a built-in one's name, or a module's path and SHA-256. */
export async function identifyModel(model: string): Promise<string> {
  if (Object.hasOwn(MODELS, model)) return model;
  return `${model}, SHA-256 ${await hashFile(model)}`;
}
