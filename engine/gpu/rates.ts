/**
 * Rates by which the time of launches is estimated before they are submitted, and the time that they may take.
 *
 * A GPU that runs one submission cannot draw the screen meanwhile, cannot be stopped, and is reset by Windows after 2 s.
 *
 * @module
 */

/** Longest estimated time of a launch that can be split, in milliseconds. */
export const LAUNCH_MS = 50;

/** Longest estimated time of a submission, in milliseconds; a launch that takes longer is submitted alone. */
export const SUBMISSION_MS = 200;

/** Part of the work of a launch that is split. */
export interface LaunchPart {
  readonly start: number;
  /** The one after the last. */
  readonly end: number;
  /** Estimated milliseconds. */
  readonly ms: number;
}

/**
 * Splits `count` pieces of work, of `pieceMs` milliseconds each, into launches of at most {@linkcode LAUNCH_MS}, or of one piece, that are about
 * as long.
 *
 * @param most pieces of a launch. Default: no bound
 */
export function cutLaunches(count: number, pieceMs: number, most = Infinity): LaunchPart[] {
  const together = Math.max(1, Math.min(Math.floor(LAUNCH_MS / pieceMs), most));
  const length = Math.ceil(count / Math.max(1, Math.ceil(count / together)));
  return Array.from({ length: Math.ceil(count / length) }, (_, i) => {
    const start = i * length;
    const end = Math.min(start + length, count);
    return { start, end, ms: (end - start) * pieceMs };
  });
}

/** Rates that a device reaches. */
export interface Rates {
  /** Rate of matrix products by a variant of the Gram kernel that has not been measured, in FLOP per millisecond. */
  readonly products: number;
  /** Rates of matrix products by the measured variants' names, in FLOP per millisecond. */
  readonly variants: Readonly<Record<string, number>>;
  /** Rate of convolutions, in FLOP per millisecond. */
  readonly convolutions: number;
  /** Rate of reading memory once, in bytes per millisecond. */
  readonly reads: number;
  /** Rate of going through buffers element by element, in bytes per millisecond. */
  readonly elements: number;
}

/** Rates of a device before any measurement: 5 GFLOP/s, 4 GB/s, and 1 GB/s element by element, so that the first submissions are small. */
export const UNMEASURED: Rates = {
  products: 5e6,
  variants: {},
  convolutions: 5e6,
  reads: 4e6,
  elements: 1e6,
};
