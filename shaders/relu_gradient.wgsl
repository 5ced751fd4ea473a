// Gradient of relu with respect to its input: gradients[i] = deltas[i] where outputs[i] > 0, and 0 elsewhere.
//
// One invocation computes 4 elements, each f32 or, where the host chooses so, vec4f. They are 64 apart, so that neighbouring invocations
// access neighbouring elements.
// Dispatch: ceil(count / 256) workgroups.
// Layout: outputs, deltas (gradients of the outputs) and gradients [count] elements.
// Tails: elements beyond the last are not written.
// Float64 twin: engine/reference/pointwise.ts, reluGradient.

import package::shared::element::Element;

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> outputs: array<Element>;
@group(0) @binding(2) var<storage, read> deltas: array<Element>;
@group(0) @binding(3) var<storage, read_write> gradients: array<Element>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * 256u + lane;
  for (var j = 0u; j < 4u; j++) { // unroll
    let at = first + j * 64u;
    let delta = deltas[at];
    let is_positive = outputs[at] > Element();
    if at < params.count { gradients[at] = select(Element(), delta, is_positive); }
  }
}
