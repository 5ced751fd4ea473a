/** The files of the project, by their paths from its folder. @module */

/** The project's folder. */
export const ROOT = new URL("../../", import.meta.url);

/** Sources of a folder and of those in it. */
export async function* listFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) yield* listFiles(`${folder}${name}/`);
    else if (/\.(ts|wgsl)$/.test(name)) yield `${folder}${name}`;
  }
}
