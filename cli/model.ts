/**
 * Networks as `--model` names them: built in, or the default export of a module.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  FileError,
  lenet5,
  lenetLarge,
  mlp,
  type NetworkDefinition,
  resnet18,
  resnet18Narrow,
  resnet8,
  resnet8Narrow,
} from "../mod.ts";

/** The built-in networks by the name that `--model` takes. */
export const MODELS: Readonly<Record<string, NetworkDefinition>> = Object.fromEntries(
  [lenet5, lenetLarge, mlp, resnet8, resnet8Narrow, resnet18, resnet18Narrow].map((
    model,
  ) => [model.name, model]),
);

/** What `--model` takes, as a text says it. */
export const MODEL_NEED = `${Object.keys(MODELS).join(", ")} or a .ts file`;

/** Whether `--model` takes it: a built-in network's name, or the path of a file with a network of one's own. */
export function namesModel(model: string): boolean {
  return Object.hasOwn(MODELS, model) || /[/\\]|\.[jt]s$|\.m[jt]s$/.test(model);
}

/**
 * A built-in network, or the default export of a module.
 *
 * @throws {FileError} if the module cannot be imported, or exports no network definition.
 */
export async function loadDefinition(model: string): Promise<NetworkDefinition> {
  if (Object.hasOwn(MODELS, model)) return MODELS[model];
  const fail = (state: string, cause?: unknown) =>
    new FileError(
      model,
      `Cannot use ${model} as a network: got ${state}, need a module whose default export is a NetworkDefinition, { name, forward }`,
      { cause },
    );
  // the import's own error would name the file that imports
  if (!await isFile(model)) throw fail("no such file");
  const { default: definition } = await import(pathToFileURL(resolve(model)).href)
    .catch((cause) => {
      throw fail(String(cause), cause);
    });
  if (definition === undefined) throw fail("no default export");
  for (const [property, type] of [["name", "string"], ["forward", "function"]] as const) {
    const got = typeof definition?.[property];
    if (got !== type) throw fail(`a default export whose ${property} is ${got}`);
  }
  return definition;
}

/** What says which network was used: a built-in one's name, or a module's path and SHA-256. */
export async function identifyModel(model: string): Promise<string> {
  if (Object.hasOwn(MODELS, model)) return model;
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(model));
  return `${model}, SHA-256 ${new Uint8Array(digest).toHex()}`;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isFile }) => isFile, () => false);
}
