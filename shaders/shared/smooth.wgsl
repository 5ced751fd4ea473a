// The exponential function that smooth activations share, and the parameters and buffers of tanh and gelu.

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

// Exponent of the power of 2 that is nearest to exp(x), for x from -104 to 89.
fn find_power(x: Element) -> IntegerElement {
  return IntegerElement(round(x * 1.442695));
}

// x - power ln 2. Ln 2 is split in two: the first part, 355 / 512, is so short that its product is exact; the product is one of integers, so
// that no compiler merges the two parts again.
fn subtract_power(x: Element, power: IntegerElement) -> Element {
  return (x - Element(power * 355) * 0.001953125) + Element(power) * 2.1219444e-4;
}

// exp(rest) - 1, for |rest| of at most ln(2) / 2.
fn raise(rest: Element) -> Element {
  let series = (((1.3765022e-3 * rest + 8.39286e-3) * rest + 0.04167152) * rest + 0.16666254) * rest + 0.4999997;
  return rest + rest * rest * series;
}

// exp(rest) times 2 to the power, and 0 where that is subnormal.
fn scale_exponential(rest: Element, power: IntegerElement) -> Element {
  let scale = bitcast<Element>((power + 127) * 8388608);
  return (1.0 + raise(rest)) * scale;
}

// exp(-factor a a), 0 where that is subnormal, for a factor that is a power of 2 and an exponent from -88 to 0.
fn bell(a: Element, factor: f32) -> Element {
  // The square of a's first 12 bits is exact; a rounded square would put the result off by up to 1e-5 of itself.
  let short = bitcast<Element>(bitcast<IntegerElement>(a) & IntegerElement(-4096));
  let exponent = -factor * short * short;
  let power = find_power(exponent);
  let rest = subtract_power(exponent, power) - factor * (a - short) * (a + short);
  return scale_exponential(rest, power);
}

// R(a) = Phi(-a) / exp(-a a / 2) for a >= 0 and the normal distribution's Phi.
fn compute_tail(a: Element) -> Element {
  let q = (a - 4.0) / (a + 4.0);
  let outer = ((1.9978388e-4 * q + 1.49702e-3) * q - 7.931137e-4) * q - 0.01011882;
  let inner = ((((outer * q + 0.035915315) * q - 0.06436953) * q + 0.05719741) * q + 0.027997447) * q;
  return 0.5 * ((inner - 0.19340687) * q + 0.94410646) / (1.0 + a);
}
