// One step of stochastic gradient descent with momentum, in place: velocity = momentum velocity + gradient + weight_decay weight, then
// weight = weight - learning_rate velocity. As PyTorch's SGD.
//
// One invocation updates one weight.
// Dispatch: ceil(count / 64) workgroups.
// Layout: weights, velocities and gradients [count].
// Tails: invocations beyond the last weight do nothing.
// Float64 twin: tests/oracle/layers.ts, momentumStep.

struct Params {
  count: u32,
  learning_rate: f32,
  momentum: f32,
  weight_decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocities: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if index >= params.count { return; }
  let gradient = gradients[index];
  let weight = weights[index];
  let velocity = params.momentum * velocities[index] + (gradient + params.weight_decay * weight);
  velocities[index] = velocity;
  weights[index] = weight - params.learning_rate * velocity;
}
