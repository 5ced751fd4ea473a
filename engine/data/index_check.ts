/** Check that lists hold indices. @module */
import { describeType } from "../formats/type_name.ts";

/**
 * Refuses flags of samples, as `findRedundant` returns them, which would be taken for samples 0 and 1.
 *
 * @param action action that fails, for the message, such as `take samples of digits`
 * @throws {TypeError} when the list is a `Uint8Array`, or of booleans.
 */
export function refuseFlags(action: string, indices: ArrayLike<number>): void {
  if (!(indices instanceof Uint8Array || typeof indices[0] === "boolean")) return;
  throw new TypeError(
    `Cannot ${action}: got ${
      describeType(indices)
    } of flags, need indices; dropFlagged returns those of samples that are not flagged`,
  );
}
