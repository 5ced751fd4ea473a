/**
 * Float64 twin of shares of counts: long multiplication, decimal digit by digit.
 *
 * @module
 */

/** The decimal product `share * count` rounded down, or with `isRounded` to the nearest integer, a half up. */
export function shareOf(share: number, count: number, isRounded = false): number {
  const [whole, fraction] = writeOut(share).split(".");
  const digits = [...whole, ...fraction].map(Number);
  const product: number[] = [];
  let carry = 0;
  for (const digit of digits.reverse()) {
    const column = digit * count + carry;
    product.push(column % 10);
    carry = Math.floor(column / 10);
  }
  const kept = [...String(carry), ...product.slice(fraction.length).reverse()].join("");
  const isUp = isRounded && (product[fraction.length - 1] ?? 0) >= 5;
  return Number(kept) + Number(isUp);
}

/** Writes a number in decimal notation, `1.5e-7` as `0.00000015`. */
function writeOut(value: number): string {
  const [digits, power = "0"] = String(value).split("e");
  const [whole, fraction = ""] = digits.split(".");
  const shift = Number(power);
  if (shift >= 0) {
    const moved = fraction.padEnd(shift, "0");
    return `${whole}${moved.slice(0, shift)}.${moved.slice(shift)}`;
  }
  const padded = whole.padStart(-shift + 1, "0");
  return `${padded.slice(0, shift)}.${padded.slice(shift)}${fraction}`;
}
