// Gradient of relu for its input: gradients[i] = deltas[i] where outputs[i] > 0, and 0 elsewhere.
//
// One invocation computes 4 numbers, or 4 times four of them where the host sets Numbers so, a workgroup's apart: neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: outputs, deltas and gradients [count] Numbers.
// Tails: invocations beyond the last number do nothing.
// Float64 twin: engine/reference/pointwise.ts, reluGradient.

import package::shared::numbers::Numbers;

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> outputs: array<Numbers>;
@group(0) @binding(2) var<storage, read> deltas: array<Numbers>;
@group(0) @binding(3) var<storage, read_write> gradients: array<Numbers>;

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
    let is_positive = outputs[at] > Numbers();
    if at < params.count { gradients[at] = select(Numbers(), delta, is_positive); }
  }
}
