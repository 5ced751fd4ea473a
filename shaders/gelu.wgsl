// Gelu: outputs[i] = x Phi(x), or where IS_GRADIENT is 1 its gradient, outputs[i] = deltas[i] (Phi(x) + x phi(x)), for x = inputs[i] and the
// normal distribution's Phi(x) = (1 + erf(x / sqrt 2)) / 2 and phi(x) = exp(-x x / 2) / sqrt(2 pi).
//
// The relative error of both is below 1e-6 wherever they are normal float32 numbers; near the gradient's zero, -0.7518, where its two terms
// cancel, the error is below 1e-6 of the sum of their absolute values. For negative x, where 1 + erf would cancel too, Phi(-a) is computed as
// exp(-a a / 2) R(a) with R(a) (1 + a) a polynomial of (a - 4) / (a + 4), for a >= 0.
//
// One invocation computes 4 elements, each f32 or, where the host chooses so, vec4f. They are 64 apart, so that neighbouring invocations
// access neighbouring elements.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs, deltas and outputs [count] elements. Deltas (gradients of the outputs) are read by the gradient only.
// Tails: elements beyond the last are not written.
// Float64 twin: engine/reference/pointwise.ts, geluForward and geluGradient.

import package::shared::element::Element;
import package::shared::smooth::{params, inputs, deltas, outputs, IS_GRADIENT, bell, compute_tail};

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
      // Beyond 13.25 the result is 0 or x. No min, so that NaN stays NaN.
      let a = select(abs(x), Element(13.25), abs(x) > Element(13.25));
      if IS_GRADIENT == 1 {
        let slope = bell(a, 0.5) * (compute_tail(a) - 0.3989423 * a); // gradient at -a; at a it is 1 minus this
        outputs[at] = deltas[at] * select(slope, 1.0 - slope, x > Element());
      } else {
        // Factors in this order, since Phi(-a) alone may be subnormal where a Phi(-a) is not.
        let part = bell(a, 0.5) * (compute_tail(a) * a);
        outputs[at] = select(-part, x - part, x > Element());
      }
    }
  }
}
