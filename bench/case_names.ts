/**
 * Names of the cases, in the order in which they run.
 *
 * @module
 */

/** Names of all cases. */
export const CASE_NAMES = [
  "gram",
  "epilogues",
  "fpc",
  "project_factored",
  "filter_gradient",
  "convolution",
  "input_gradient",
  "passes",
  "projection",
  "train",
  "end-to-end",
] as const;

/** Name of a case. */
export type CaseName = typeof CASE_NAMES[number];
