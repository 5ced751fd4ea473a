/**
 * Handling of signals: what a command does when a person, Slurm, Docker or a closed terminal tells it to stop.
 *
 * @module
 */

/** Exit codes by signal, as in shells: 128 plus the signal's number. Windows has the first alone. */
const EXIT_CODES: readonly (readonly [Deno.Signal, number])[] = [
  ["SIGINT", 130],
  ...Deno.build.os === "windows" ? [] : [["SIGTERM", 143], ["SIGHUP", 129]] as const,
];

/** Pattern of SIGHUP in the mask of ignored signals that Linux shows of a process, as under `nohup`. */
const IGNORES_HANGUP = /^SigIgn:\s*[0-9a-f]*[13579bdf]$/m;

/**
 * Whether the process was started with SIGHUP ignored. It has to listen for SIGHUP all the same: once Deno listens for any signal, it ends the
 * process at a SIGHUP without a listener.
 */
function ignoresHangup(): boolean {
  try {
    return IGNORES_HANGUP.test(Deno.readTextFileSync("/proc/self/status"));
  } catch {
    // no Linux, or no permission to read this file, for which Deno wants --allow-all
    return false;
  }
}

/** State at the start of the process: once there are listeners, the mask no longer tells. */
const isHangupIgnored = ignoresHangup();

/** Functions to call before the process ends. */
const cleaners = new Set<() => void>();

/** Calls `clean` and ends the process when a signal tells it to stop, until what is returned is disposed. */
export function onInterrupt(clean: () => void): Disposable {
  const listeners = EXIT_CODES.map(([signal, code]) => {
    const listener = () => {
      if (signal === "SIGHUP" && isHangupIgnored) return;
      cleanUp();
      Deno.exit(code);
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  cleaners.add(clean);
  return {
    [Symbol.dispose]() {
      cleaners.delete(clean);
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

/** Calls all functions given to {@linkcode onInterrupt}, the latest first; for a process that is about to end. */
export function cleanUp(): void {
  for (const clean of [...cleaners].reverse()) clean();
}
