// Gelu: outputs[i] = x Phi(x), or where IS_GRADIENT is 1 its gradient, outputs[i] = deltas[i] (Phi(x) + x phi(x)), with x = inputs[i] and the
// normal distribution's Phi(x) = (1 + erf(x / sqrt 2)) / 2 and phi(x) = exp(-x x / 2) / sqrt(2 pi).
//
// Both are off by less than 1e-6 of themselves wherever they are normal numbers; near the gradient's zero, -0.7518, where its two terms cancel,
// by less than 1e-6 of their absolute values together. Below 0, where 1 + erf would cancel too, Phi(-a) is computed as exp(-a a / 2) R(a) with
// R(a) (1 + a) a polynomial of (a - 4) / (a + 4) for a from 0 on.
//
// One invocation computes 4 numbers, or 4 times four of them where the host sets Numbers so, a workgroup's apart: neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs, deltas and outputs [count] Numbers. Deltas are read by the gradient alone.
// Tails: invocations beyond the last number do nothing.
// Float64 twin: engine/reference/pointwise.ts, geluForward and geluGradient.

import package::shared::numbers::{Numbers, Integers};
import package::shared::smooth::{params, inputs, deltas, outputs, IS_GRADIENT, find_power, subtract_power, scale_exponential};

// exp(-a a / 2) for a from 0 to 13.25, and 0 where that is no normal number
fn bell(a: Numbers) -> Numbers {
  // the square of a's first 12 bits is exact; one rounded would be off by as much as the result times 1e-5
  let short = bitcast<Numbers>(bitcast<Integers>(a) & Integers(-4096));
  let exponent = -0.5 * short * short;
  let power = find_power(exponent);
  let rest = subtract_power(exponent, power) - 0.5 * (a - short) * (a + short);
  return scale_exponential(rest, power);
}

// R(a) = Phi(-a) / exp(-a a / 2) for a from 0 on
fn measure_tail(a: Numbers) -> Numbers {
  let q = (a - 4.0) / (a + 4.0);
  let outer = ((1.9978388e-4 * q + 1.49702e-3) * q - 7.931137e-4) * q - 0.01011882;
  let inner = ((((outer * q + 0.035915315) * q - 0.06436953) * q + 0.05719741) * q + 0.027997447) * q;
  return 0.5 * ((inner - 0.19340687) * q + 0.94410646) / (1.0 + a);
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
      let x = inputs[at];
      // from 13.25 on nothing changes; not min: a NaN stays one
      let a = select(abs(x), Numbers(13.25), abs(x) > Numbers(13.25));
      if IS_GRADIENT == 1 {
        let slope = bell(a) * (measure_tail(a) - 0.3989423 * a); // at -a, and 1 less this at a
        outputs[at] = deltas[at] * select(slope, 1.0 - slope, x > Numbers());
      } else {
        // in this order, since Phi(-a) alone may be no normal number where a Phi(-a) is one
        let part = bell(a) * (measure_tail(a) * a);
        outputs[at] = select(-part, x - part, x > Numbers());
      }
    }
  }
}
