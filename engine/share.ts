/** Shares of counts, in decimal arithmetic. @module */
import { describeValue } from "./options.ts";

/**
 * Computes a share of a count: the decimal number that the share is written as, times the count, rounded down, or to the nearest integer with
 * a half rounded up. In binary, `0.29 * 100` would fall just short of 29, and `0.57 * 1500` of 855.
 *
 * @param share number, taken as the shortest decimal that JavaScript prints for it
 * @throws {RangeError} if the share is negative or not finite, or the count is not an integer of at least 0
 * @throws {TypeError} if the rounding is neither of the two
 */
export function countShare(
  share: number,
  count: number,
  rounding: "down" | "nearest" = "down",
): number {
  if (!(Number.isFinite(share) && share >= 0 && Number.isInteger(count) && count >= 0)) {
    throw new RangeError(
      `Cannot take a share: got ${share} of ${count}, need a number of at least 0 and a count`,
    );
  }
  if (rounding !== "down" && rounding !== "nearest") {
    throw new TypeError(
      `Cannot take a share: got rounding ${describeValue(rounding)}, need "down" or "nearest"`,
    );
  }
  // scientific notation has one digit before the point: 2.9e-1
  const [digits, exponent] = share.toExponential().split("e");
  const decimals = digits.length - Math.min(2, digits.length) - Number(exponent);
  const [factor, divisor] = decimals < 0
    ? [10n ** BigInt(-decimals), 1n]
    : [1n, 10n ** BigInt(decimals)];
  const product = BigInt(digits.replace(".", "")) * BigInt(count) * factor;
  return Number(
    rounding === "down" ? product / divisor : (2n * product + divisor) / (2n * divisor),
  );
}
