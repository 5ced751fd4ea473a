/** Temporary folders for tests. @module */

/** Creates a folder that is removed with everything in it at the end of the block. */
export async function openTempFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
