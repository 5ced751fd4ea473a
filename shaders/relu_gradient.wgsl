// Gradient of relu for its input: gradients[i] = deltas[i] where outputs[i] > 0, and 0 elsewhere.
//
// One invocation computes 4 numbers, a quarter of all apart, so that neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: outputs, deltas and gradients [count].
// Tails: invocations beyond the last number do nothing.
// Float64 twin: tests/oracle/layers.ts, reluGradient.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> outputs: array<f32>;
@group(0) @binding(2) var<storage, read> deltas: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let quarter = (params.count + 3u) / 4u;
  if index >= quarter { return; }
  for (var j = 0u; j < 4u; j++) { // unroll
    let at = index + j * quarter;
    let delta = deltas[at];
    let is_positive = outputs[at] > 0.0;
    if at < params.count { gradients[at] = select(0.0, delta, is_positive); }
  }
}
