/**
 * Mistakes in a call that no option by itself shows.
 *
 * @module
 */

/** A mistake in how a command was called; exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}
