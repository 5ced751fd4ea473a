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
}

/** Rates of a device before any measurement: 5 GFLOP/s and 4 GB/s, so that the first submissions are small. */
export const UNMEASURED: Rates = {
  products: 5e6,
  variants: {},
  convolutions: 5e6,
  reads: 4e6,
};
