// Step of stochastic gradient descent with momentum, in place, as PyTorch's SGD: velocity = momentum velocity + gradient + weight_decay weight,
// then weight = weight - learning_rate velocity.
//
// One invocation updates 4 elements, each f32 or, where the host chooses so, vec4f. They are 64 apart, so that neighbouring invocations
// access neighbouring elements.
// Dispatch: ceil(count / 256) workgroups.
// Layout: weights, velocities and gradients [count] elements.
// Tails: elements beyond the last are not written.
// Float64 twin: engine/reference/pointwise.ts, momentumStep.

import package::shared::element::Element;

struct Params {
  count: u32,
  learning_rate: f32,
  momentum: f32,
  weight_decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<Element>;
@group(0) @binding(2) var<storage, read_write> weights: array<Element>;
@group(0) @binding(3) var<storage, read_write> velocities: array<Element>;

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
