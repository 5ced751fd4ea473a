/** Small disks for tests of full and read-only disks. @module */

/** Mounts a disk in memory, which needs the right to mount. */
export async function openDisk(
  size: string,
): Promise<AsyncDisposable & { path: string } | undefined> {
  const path = await Deno.makeTempDir();
  const disk = {
    path,
    async [Symbol.asyncDispose]() {
      await mount("umount", path);
      await Deno.remove(path);
    },
  };
  if (await mount("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path)) return disk;
  await Deno.remove(path);
}

/** Runs a mount command; returns whether it succeeds. */
export async function mount(command: string, ...args: string[]): Promise<boolean> {
  const process = new Deno.Command(command, { args, stdout: "null", stderr: "null" });
  return await process.output().then(({ success }) => success, () => false);
}

/** Whether a disk can be mounted here. */
export const canMount = await (async () => {
  await using disk = await openDisk("64k");
  return disk !== undefined;
})();
if (!canMount) {
  console.log("No disk can be mounted: nothing is written to a full or read-only one");
}
