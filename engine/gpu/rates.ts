/**
 * The rates by which the time of launches is estimated before they are submitted, and how long they may take.
 *
 * A GPU that is busy with one submission shows nothing meanwhile, cannot be stopped, and is reset by Windows after 2 s.
 *
 * @module
 */

/** Milliseconds of one launch at most, where it can be cut. */
export const LAUNCH_MS = 50;

/** Milliseconds of one submission at most; a launch that alone takes longer is submitted by itself. */
export const SUBMISSION_MS = 200;

/** What a device reaches. */
export interface Rates {
  /** FLOP a millisecond of products of matrices. */
  readonly products: number;
  /** FLOP a millisecond of convolutions. */
  readonly convolutions: number;
  /** Bytes a millisecond of reading what is read once. */
  readonly reads: number;
}

/** Rates of a device of which nothing is measured yet: 5 GFLOP/s and 4 GB/s, so that what is submitted first is small. */
export const UNMEASURED: Rates = { products: 5e6, convolutions: 5e6, reads: 4e6 };
