// One step of stochastic gradient descent with momentum, in place: velocity = momentum velocity + gradient + weight_decay weight, then
// weight = weight - learning_rate velocity. As PyTorch's SGD.
//
// One invocation updates 4 weights, or 4 times four of them where the host sets Numbers so, a workgroup's apart: neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: weights, velocities and gradients [count] Numbers.
// Tails: invocations beyond the last weight do nothing.
// Float64 twin: engine/reference/pointwise.ts, momentumStep.

import package::shared::numbers::Numbers;

struct Params {
  count: u32,
  learning_rate: f32,
  momentum: f32,
  weight_decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<Numbers>;
@group(0) @binding(2) var<storage, read_write> weights: array<Numbers>;
@group(0) @binding(3) var<storage, read_write> velocities: array<Numbers>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * 256u + lane;
  for (var j = 0u; j < 4u; j++) { // unroll
    let at = first + j * 64u;
    let weight = weights[at];
    let velocity = params.momentum * velocities[at] + (gradients[at] + params.weight_decay * weight);
    if at < params.count {
      velocities[at] = velocity;
      weights[at] = weight - params.learning_rate * velocity;
    }
  }
}
