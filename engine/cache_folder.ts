/**
 * Folder in which downloads, measurements and compiled shaders are kept between processes.
 *
 * @module
 */

/**
 * Returns the path of the cache folder: `$XDG_CACHE_HOME/lpntk` or `~/.cache/lpntk`, on macOS `~/Library/Caches/lpntk`, on Windows
 * `%LOCALAPPDATA%\lpntk`.
 *
 * @throws {Error} if the environment variable that the path depends on is not set.
 */
export function cacheFolder(): string {
  return chooseCacheFolder(Deno.build.os, (name) => Deno.env.get(name));
}

/** Returns the path of {@linkcode cacheFolder} for a given operating system and environment. */
export function chooseCacheFolder(
  os: typeof Deno.build.os,
  readVariable: (name: string) => string | undefined,
): string {
  const need = (name: string) => {
    const value = readVariable(name);
    if (value) return value;
    throw new Error(
      `Cannot find the cache folder: got no ${name} in the environment, need it, or the data in ` +
        "LPNTK_DATA",
    );
  };
  if (os === "windows") return `${need("LOCALAPPDATA")}\\lpntk`;
  if (os === "darwin") return `${need("HOME")}/Library/Caches/lpntk`;
  return `${readVariable("XDG_CACHE_HOME") || `${need("HOME")}/.cache`}/lpntk`;
}
