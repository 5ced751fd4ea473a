// Parameters, buffers and the exponential function that tanh and gelu share.

import package::shared::element::{Element, IntegerElement};

struct Params {
  count: u32,
}

// 1: the gradient is computed; set by the host.
const IS_GRADIENT = 0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<Element>;
@group(0) @binding(2) var<storage, read> deltas: array<Element>;
@group(0) @binding(3) var<storage, read_write> outputs: array<Element>;

// Exponent of the power of 2 that is nearest to exp(x), for x from -88 to 0.
fn find_power(x: Element) -> IntegerElement {
  return IntegerElement(round(x * 1.442695));
}

// x - power ln 2. Ln 2 is split in two: the first part, 355 / 512, is so short that its product is exact; the product is one of integers, so
// that no compiler merges the two parts again.
fn subtract_power(x: Element, power: IntegerElement) -> Element {
  return (x - Element(power * 355) * 0.001953125) + Element(power) * 2.1219444e-4;
}

// exp(rest) times 2 to the power, and 0 where that is subnormal.
fn scale_exponential(rest: Element, power: IntegerElement) -> Element {
  let series = (((1.3765022e-3 * rest + 8.39286e-3) * rest + 0.04167152) * rest + 0.16666254) * rest + 0.4999997;
  let scale = bitcast<Element>((power + 127) * 8388608);
  return (1.0 + (rest + rest * rest * series)) * scale;
}
