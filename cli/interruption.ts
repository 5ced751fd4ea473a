/**
 * What a command does when it is told to stop: by a person, or as Slurm, Docker and a closed terminal do.
 *
 * @module
 */

/** Exit codes by signal, as shells have them: 128 and the signal's number. Windows knows the first alone. */
const EXIT_CODES: readonly (readonly [Deno.Signal, number])[] = [
  ["SIGINT", 130],
  ...Deno.build.os === "windows" ? [] : [["SIGTERM", 143], ["SIGHUP", 129]] as const,
];

/** SIGHUP in the signals of a process that Linux says it ignores, as under `nohup`. */
const IGNORES_HANGUP = /^SigIgn:\s*[0-9a-f]*[13579bdf]$/m;

/**
 * Whether the process was begun to ignore SIGHUP. It has to listen then all the same: where Deno listens to any signal, it ends the process at
 * this one if nobody else does.
 */
function ignoresHangup(): boolean {
  try {
    return IGNORES_HANGUP.test(Deno.readTextFileSync("/proc/self/status"));
  } catch {
    // no Linux, or without the permission to ask: Deno wants all of them for that
    return false;
  }
}

/** As it was begun: once there are listeners, nothing tells any more. */
const isHangupIgnored = ignoresHangup();

/** What is to be done before the process ends. */
const cleaners = new Set<() => void>();

/** Does `clean` and ends the process when it is told to stop, until what is returned is disposed. */
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

/** Does what was to be done when the process is told to stop, as it is about to end for another reason; the last that was begun first. */
export function cleanUp(): void {
  for (const clean of [...cleaners].reverse()) clean();
}
