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

/** What is to be done before the process ends. */
const cleaners = new Set<() => void>();

/** Does `clean` and ends the process when it is told to stop, until what is returned is disposed. */
export function onInterrupt(clean: () => void): Disposable {
  const listeners = EXIT_CODES.map(([signal, code]) => {
    const listener = () => {
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
