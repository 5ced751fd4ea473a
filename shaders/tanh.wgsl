// Hyperbolic tangent: outputs[i] = tanh(inputs[i]), or where IS_GRADIENT is 1 its gradient, outputs[i] = deltas[i] / cosh(inputs[i])^2.
//
// Both are off by less than 1e-6 of themselves wherever they are normal numbers. WGSL does not promise that of its own tanh and exp. The
// gradient is made from the input: of an output that rounds to 1 nothing is left to subtract from 1.
//
// One invocation computes 4 numbers, or 4 times four of them where the host sets Numbers so, a workgroup's apart: neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs, deltas and outputs [count] Numbers. Deltas are read by the gradient alone.
// Tails: invocations beyond the last number do nothing.
// Float64 twin: engine/reference/pointwise.ts, tanhForward and tanhGradient.

import package::shared::numbers::Numbers;
import package::shared::smooth::{params, inputs, deltas, outputs, IS_GRADIENT, find_power, subtract_power, scale_exponential};

// exp(x) for x from -88 to 0, and 0 where that is no normal number
fn exponential(x: Numbers) -> Numbers {
  let power = find_power(x);
  return scale_exponential(subtract_power(x, power), power);
}

// exp(-2 |x|)
fn decay(x: Numbers) -> Numbers {
  let exponent = -2.0 * abs(x);
  // not max: a NaN stays one
  return exponential(select(exponent, Numbers(-88.0), exponent < Numbers(-88.0)));
}

fn compute_tanh(x: Numbers) -> Numbers {
  let square = x * x;
  let series = (((-5.7170405e-3 * square + 0.020650582) * square - 0.053743497) * square + 0.1333149) * square - 0.33333284;
  let near = x + x * square * series;
  let e = decay(x);
  let far = (1.0 - e) / (1.0 + e);
  return select(near, select(far, -far, Numbers() > x), abs(x) >= Numbers(0.625));
}

fn compute_slope(x: Numbers) -> Numbers {
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
