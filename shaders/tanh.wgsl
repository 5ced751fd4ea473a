// Hyperbolic tangent: outputs[i] = tanh(inputs[i]), or where IS_GRADIENT is 1 its gradient, outputs[i] = deltas[i] / cosh(inputs[i])^2.
//
// The relative error of both is below 1e-6 wherever they are normal float32 numbers; WGSL guarantees less of its own tanh and exp. The gradient
// is computed from the input, since 1 - tanh^2 would be 0 where the output rounds to 1.
//
// One invocation computes 4 elements, each f32 or, where the host chooses so, vec4f. They are 64 apart, so that neighbouring invocations
// access neighbouring elements.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs, deltas and outputs [count] elements. Deltas (gradients of the outputs) are read by the gradient only.
// Tails: elements beyond the last are not written.
// Float64 twin: engine/reference/pointwise.ts, tanhForward and tanhGradient.

import package::shared::element::Element;
import package::shared::smooth::{params, inputs, deltas, outputs, IS_GRADIENT, find_power, subtract_power, scale_exponential};

// exp(x) for x from -88 to 0, and 0 where that is subnormal.
fn exponential(x: Element) -> Element {
  let power = find_power(x);
  return scale_exponential(subtract_power(x, power), power);
}

// exp(-2 |x|).
fn decay(x: Element) -> Element {
  let exponent = -2.0 * abs(x);
  // No max, so that NaN stays NaN.
  return exponential(select(exponent, Element(-88.0), exponent < Element(-88.0)));
}

fn compute_tanh(x: Element) -> Element {
  let square = x * x;
  let series = (((-5.7170405e-3 * square + 0.020650582) * square - 0.053743497) * square + 0.1333149) * square - 0.33333284;
  let near = x + x * square * series;
  let e = decay(x);
  let far = (1.0 - e) / (1.0 + e);
  return select(near, select(far, -far, Element() > x), abs(x) >= Element(0.625));
}

fn compute_slope(x: Element) -> Element {
  let e = decay(x);
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
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
        outputs[at] = compute_tanh(inputs[at]);
      }
    }
  }
}
