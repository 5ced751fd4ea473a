/**
 * SwiftShader, a second Vulkan driver on the CPU: four lanes a subgroup, no extension for robust access, WebGPU's default limits. Chromium,
 * which the tests open pages with, brings it.
 *
 * @module
 */

/** Paths at which Debian's and Ubuntu's Chromium, and Google's Chrome, keep the driver. */
const LIBRARIES = [
  "/usr/lib/chromium/libvk_swiftshader.so",
  "/usr/lib/chromium-browser/libvk_swiftshader.so",
  "/opt/google/chrome/libvk_swiftshader.so",
];

/**
 * The environment in which a process finds SwiftShader in place of every other adapter.
 *
 * @param folder for the description of the driver that Vulkan's loader reads
 * @throws {Error} if there is no SwiftShader.
 */
export async function describeSwiftshader(folder: string): Promise<Record<string, string>> {
  const found = await Promise.all(
    LIBRARIES.map((path) => Deno.stat(path).then(({ isFile }) => isFile, () => false)),
  );
  const library = LIBRARIES[found.indexOf(true)];
  if (library === undefined) {
    throw new Error(
      `Cannot test on a second driver: got no ${
        LIBRARIES.join(", ")
      }, need Chromium's SwiftShader; install chromium`,
    );
  }
  const path = `${folder}/swiftshader.json`;
  const icd = {
    file_format_version: "1.0.0",
    ICD: { library_path: library, api_version: "1.3.0" },
  };
  await Deno.writeTextFile(path, JSON.stringify(icd));
  return { VK_DRIVER_FILES: path, VK_ICD_FILENAMES: path, XDG_RUNTIME_DIR: folder };
}
