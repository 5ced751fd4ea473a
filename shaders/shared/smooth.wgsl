// What the smooth activations have in common: parameters, buffers, and the exponential function that both are made of.

import package::shared::numbers::{Numbers, Integers};

struct Params {
  count: u32,
}

// Whether the gradient is computed: 0 or 1.
const IS_GRADIENT = 0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<Numbers>;
@group(0) @binding(2) var<storage, read> deltas: array<Numbers>;
@group(0) @binding(3) var<storage, read_write> outputs: array<Numbers>;

// The power of 2 that is nearest to exp(x), for x from -88 to 0.
fn find_power(x: Numbers) -> Integers {
  return Integers(round(x * 1.442695));
}

// x less power ln 2, in two parts: the first, 355 / 512, is so short that its product is exact, and of integers, so that no compiler puts
// the two together again.
fn subtract_power(x: Numbers, power: Integers) -> Numbers {
  return (x - Numbers(power * 355) * 0.001953125) + Numbers(power) * 2.1219444e-4;
}

// exp(rest) times 2 to the power, and 0 where that is no normal number.
fn scale_exponential(rest: Numbers, power: Integers) -> Numbers {
  let series = (((1.3765022e-3 * rest + 8.39286e-3) * rest + 0.04167152) * rest + 0.16666254) * rest + 0.4999997;
  let scale = bitcast<Numbers>((power + 127) * 8388608);
  return (1.0 + (rest + rest * rest * series)) * scale;
}
