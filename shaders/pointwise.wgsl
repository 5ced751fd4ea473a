// One of several functions, chosen by FUNCTION: outputs[i] = f(inputs[i]), or where IS_GRADIENT is 1 its gradient, outputs[i] =
// deltas[i] f'(inputs[i]).
//
// The relative error of both is below 1e-6 wherever they are normal float32 numbers, as WGSL does not guarantee of its own exp, log and pow;
// only near the zero of silu's gradient, -1.2785, it is below 1e-6 of the sum of the absolute values of the gradient's two terms, and powers
// with an exponent beyond 8 lose digits in proportion to it.
//
// One invocation computes 4 elements, each f32 or, where the host chooses so, vec4f. They are 64 apart, so that neighbouring invocations
// access neighbouring elements.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs, deltas and outputs [count] elements. Deltas (gradients of the outputs) are read by the gradient only.
// Tails: elements beyond the last are not written.
// Float64 twin: engine/reference/pointwise.ts, pointwiseForward and pointwiseGradient.

import package::shared::element::{Element, IntegerElement};
import package::shared::smooth::{IS_GRADIENT, find_power, subtract_power, raise, bell, compute_tail};

struct Params {
  count: u32,
  a: f32,
  b: f32,
  c: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<Element>;
@group(0) @binding(2) var<storage, read> deltas: array<Element>;
@group(0) @binding(3) var<storage, read_write> outputs: array<Element>;

const AFFINE = 0;        // a x + b
const ABSOLUTE = 1;      // |x|; the gradient at 0 is 0
const SQUARE = 2;        // x x
const ROOT = 3;          // sqrt(x)
const RECIPROCAL = 4;    // 1 / x
const EXPONENTIAL = 5;   // exp(x)
const LOGARITHM = 6;     // log(x)
const POWER = 7;         // x^(a + b), a being short; c is 1 for an even exponent, -1 for an odd one and 0 for others, whose x may not be negative
const CLIP = 8;          // min(max(x, a), b); the gradient at a and b is 1
const LEAKY = 9;         // x, or a x where x is not positive
const ELU = 10;          // x, or a (exp(x) - 1) where x is not positive
const RELU6 = 11;        // min(max(x, 0), 6)
const HARD_SIGMOID = 12; // min(max(x + 3, 0), 6) / 6
const HARD_SWISH = 13;   // x min(max(x + 3, 0), 6) / 6
const SIGMOID = 14;      // 1 / (1 + exp(-x))
const SILU = 15;         // x / (1 + exp(-x))
const SOFTPLUS = 16;     // log(1 + exp(x))
const ERF = 17;          // 2 / sqrt(pi) times the integral of exp(-t t) from 0 to x

// Which of them is computed; set by the host.
const FUNCTION = 0;

// exp(x) as (1 + excess) 2^power.
struct Exponential {
  excess: Element,
  power: IntegerElement,
}

// Comparisons rather than min and max keep a NaN.
fn limit(x: Element, least: f32, most: f32) -> Element {
  let above = select(x, Element(least), x < Element(least));
  return select(above, Element(most), above > Element(most));
}

fn split_exponential(x: Element) -> Exponential {
  let near = limit(x, -104.0, 89.0);
  let power = find_power(near);
  return Exponential(raise(subtract_power(near, power)), power);
}

// value 2^power, in two steps, so that neither factor is subnormal or infinite where the result is not.
fn scale(value: Element, power: IntegerElement) -> Element {
  let half = power / 2;
  return value * bitcast<Element>((half + 127) * 8388608) * bitcast<Element>((power - half + 127) * 8388608);
}

fn exponential(x: Element) -> Element {
  let e = split_exponential(x);
  return scale(1.0 + e.excess, e.power);
}

// log((1 + q) / (1 - q)) for q from -0.18 to 1/3.
fn double_atanh(q: Element) -> Element {
  let s = q * q;
  let series = (((((s / 13.0 + 0.09090909) * s + 0.11111111) * s + 0.14285715) * s + 0.2) * s + 0.33333334) * s;
  return 2.0 * q + 2.0 * q * series;
}

// A positive number as 2^power exp(log), |log| being at most ln(2) / 2.
struct Logarithm {
  log: Element,
  power: Element,
}

fn split_logarithm(x: Element) -> Logarithm {
  // a subnormal number is made a normal one
  let is_small = x < Element(1.1754944e-38);
  let bits = bitcast<IntegerElement>(select(x, x * 8388608.0, is_small)) + 4913933;
  let power = bits / 8388608 - 127 - select(IntegerElement(), IntegerElement(23), is_small);
  let m = bitcast<Element>((bits & IntegerElement(8388607)) + 1060439283);
  return Logarithm(double_atanh((m - 1.0) / (m + 1.0)), Element(power));
}

fn compute_log(x: Element) -> Element {
  let parts = split_logarithm(x);
  // ln 2 in two parts, the first of which is so short that its product is exact
  let own = parts.power * 0.693359375 + (parts.log - parts.power * 2.1219444e-4);
  // a driver's log of 0 and of infinity may be any number: -1 / 0 and the roots of the others are what they should be
  let other = select(sqrt(x), -1.0 / abs(x), x == Element());
  return select(other, own, (x > Element()) & (x <= Element(3.4028234e38)));
}

fn compute_power(x: Element) -> Element {
  let magnitude = abs(x);
  let parts = split_logarithm(magnitude);
  // whole powers of 2 apart from what is left
  let long = parts.power * params.a;
  let whole = round(long);
  let left = (parts.log * (params.a + params.b)) + ((long - whole) + parts.power * params.b) * 0.6931472;
  let e = find_power(left);
  let power = clamp(e + IntegerElement(whole), IntegerElement(-254), IntegerElement(254));
  let own = scale(1.0 + raise(subtract_power(left, e)), power);
  let beyond = select(magnitude, 1.0 / magnitude, Element() > Element(params.a));
  let value = select(beyond, own, (magnitude > Element()) & (magnitude < Element(3.4e38)));
  let signed = select(params.c * value, sqrt(x), Element(params.c) == Element());
  return select(value, signed, Element() > x);
}

// exp(-|x|) of sigmoid and its relatives.
fn decay(x: Element) -> Element {
  return exponential(-abs(x));
}

fn compute_erf(x: Element) -> Element {
  let s = x * x;
  let outer = (((-9.67359e-6 * s + 1.1268254e-4) * s - 8.484397e-4) * s + 5.221053e-3) * s - 0.026865438;
  let near = x * (((outer * s + 0.11283783) * s - 0.37612638) * s + 1.1283792);
  let a = limit(abs(x), 0.0, 9.3);
  let far = 1.0 - 2.0 * bell(a, 1.0) * compute_tail(a * 1.4142135);
  return select(near, select(far, -far, Element() > x), abs(x) >= Element(1.0));
}

fn compute_value(x: Element) -> Element {
  let zero = Element();
  let is_positive = x > zero;
  if FUNCTION == AFFINE { return params.a * x + params.b; }
  if FUNCTION == ABSOLUTE { return abs(x); }
  if FUNCTION == SQUARE { return x * x; }
  if FUNCTION == ROOT { return sqrt(x); }
  if FUNCTION == RECIPROCAL { return 1.0 / x; }
  if FUNCTION == EXPONENTIAL { return exponential(x); }
  if FUNCTION == LOGARITHM { return compute_log(x); }
  if FUNCTION == POWER { return compute_power(x); }
  if FUNCTION == CLIP { return limit(x, params.a, params.b); }
  if FUNCTION == LEAKY { return select(params.a * x, x, is_positive); }
  if FUNCTION == ELU {
    let e = split_exponential(x);
    let fall = select(scale(1.0 + e.excess, e.power) - 1.0, e.excess, e.power == IntegerElement());
    return select(params.a * fall, x, is_positive);
  }
  if FUNCTION == RELU6 { return limit(x, 0.0, 6.0); }
  if FUNCTION == HARD_SIGMOID { return limit(x + 3.0, 0.0, 6.0) / 6.0; }
  if FUNCTION == HARD_SWISH { return x * limit(x + 3.0, 0.0, 6.0) / 6.0; }
  if FUNCTION == SIGMOID {
    let e = decay(x);
    return select(e, Element(1.0), is_positive) / (1.0 + e);
  }
  if FUNCTION == SILU {
    let e = split_exponential(-abs(x));
    let sum = 1.0 + scale(1.0 + e.excess, e.power);
    let low = scale(limit(x, -104.0, 0.0) * (1.0 + e.excess) / sum, e.power);
    return select(low, x / sum, is_positive);
  }
  if FUNCTION == SOFTPLUS {
    let e = decay(x);
    return select(zero, x, is_positive) + double_atanh(e / (2.0 + e));
  }
  return compute_erf(x);
}

// Of every function but POWER, whose gradient is a power too, for the host to launch.
fn compute_slope(x: Element) -> Element {
  let zero = Element();
  let one = Element(1.0);
  let is_positive = x > zero;
  if FUNCTION == AFFINE { return Element(params.a); }
  if FUNCTION == ABSOLUTE { return sign(x); }
  if FUNCTION == SQUARE { return 2.0 * x; }
  if FUNCTION == ROOT { return 0.5 / sqrt(x); }
  if FUNCTION == RECIPROCAL { return -1.0 / x / x; }
  if FUNCTION == EXPONENTIAL { return exponential(x); }
  if FUNCTION == LOGARITHM { return 1.0 / x; }
  if FUNCTION == CLIP { return select(zero, one, (x >= Element(params.a)) & (x <= Element(params.b))); }
  if FUNCTION == LEAKY { return select(Element(params.a), one, is_positive); }
  if FUNCTION == ELU { return select(params.a * exponential(x), one, is_positive); }
  if FUNCTION == RELU6 { return select(zero, one, is_positive & (x < Element(6.0))); }
  if FUNCTION == HARD_SIGMOID { return select(zero, Element(1.0 / 6.0), (x > Element(-3.0)) & (x < Element(3.0))); }
  if FUNCTION == HARD_SWISH {
    return select(select((2.0 * x + 3.0) / 6.0, one, x > Element(3.0)), zero, x < Element(-3.0));
  }
  if FUNCTION == SIGMOID || FUNCTION == SOFTPLUS || FUNCTION == SILU {
    let e = split_exponential(-abs(x));
    let exponential = scale(1.0 + e.excess, e.power);
    let sum = 1.0 + exponential;
    if FUNCTION == SOFTPLUS { return select(exponential, one, is_positive) / sum; }
    if FUNCTION == SIGMOID { return exponential / sum / sum; }
    let a = limit(abs(x), 0.0, 104.0);
    let low = scale((1.0 + e.excess) / sum * (1.0 - a / sum), e.power);
    return select(low, (1.0 + a * exponential / sum) / sum, is_positive);
  }
  return 1.1283792 * bell(limit(abs(x), 0.0, 9.35), 1.0);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * 256u + lane;
  for (var j = 0u; j < 4u; j++) { // unroll
    let at = first + j * 64u;
    if at < params.count {
      if IS_GRADIENT == 1 {
        outputs[at] = deltas[at] * compute_slope(inputs[at]);
      } else {
        outputs[at] = compute_value(inputs[at]);
      }
    }
  }
}
