/** The files of the project, by their paths from its folder. @module */
import assert from "node:assert/strict";

/** The project's folder. */
export const ROOT = new URL("../../", import.meta.url);

/** Sources of a folder and of those in it. */
export async function* listFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) yield* listFiles(`${folder}${name}/`);
    else if (/\.(ts|wgsl)$/.test(name)) yield `${folder}${name}`;
  }
}

/** What `deno info` says of a program or a library. */
interface Inspection {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** What a program or a library imports, by whatever way round. */
export async function inspect(entry: string): Promise<Inspection> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: ROOT,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The path of a file of the project, and `npm:name` for a package. */
export function toPath(specifier: string): string {
  if (!specifier.startsWith("npm:")) return specifier.replace(ROOT.href, "");
  return `npm:${specifier.match(/^npm:\/?((?:@[^/]+\/)?[^/@]+)/)![1]}`;
}

/** The files that would be published. */
export async function listPublished(): Promise<string[]> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert.ok(success, said);
  return [...said.matchAll(/^ +(file:\S+) \(.*\)$/gm)].map(([, url]) => toPath(url)).sort();
}
