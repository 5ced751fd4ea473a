/**
 * Python with PyTorch, where the machine has it.
 *
 * @module
 */

/** Interpreters: the one on the path, and the system's, which knows the system's packages. */
const INTERPRETERS = ["python3", "/usr/bin/python3"];

/** Runs an interpreter to its end. */
export async function runPython(interpreter: string, ...args: string[]) {
  const { success, stderr } = await new Deno.Command(interpreter, {
    args,
    stdout: "null",
    stderr: "piped",
    env: { PYTHONDONTWRITEBYTECODE: "1" },
  }).output();
  return { success, complaint: new TextDecoder().decode(stderr) };
}

/** Finds an interpreter that has PyTorch and NumPy. */
export async function findPython(): Promise<string | undefined> {
  for (const interpreter of INTERPRETERS) {
    const found = await runPython(interpreter, "-c", "import torch, numpy").catch(() => undefined);
    if (found?.success) return interpreter;
  }
}
