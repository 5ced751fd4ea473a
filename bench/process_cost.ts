/**
 * Cost of a whole process, watched from outside.
 *
 * @module
 */

/** Memory and time of a process. */
export interface Cost {
  /** Peak resident memory as Linux counts it; 0 elsewhere. */
  readonly peakBytes: number;
  /** Time from start to end. */
  readonly seconds: number;
}

/**
 * Runs a process to its end.
 *
 * @param command with standard error piped
 * @throws {Error} if it fails; the message is what it wrote to standard error.
 */
export async function measureCost(command: Deno.Command): Promise<Cost> {
  const start = performance.now();
  const child = command.spawn();
  let peakBytes = 0;
  const timer = setInterval(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peakBytes = Math.max(peakBytes, 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    } catch {
      // the process has ended, or this is no Linux
    }
  }, 5);
  const { success, stderr } = await child.output();
  clearInterval(timer);
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  return { peakBytes, seconds: (performance.now() - start) / 1000 };
}
