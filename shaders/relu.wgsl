// Relu: outputs[i] = inputs[i], or 0 where that is negative.
//
// One invocation computes 4 outputs, a quarter of all numbers apart, so that neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs and outputs [count].
// Tails: invocations beyond the last output do nothing.
// Float64 twin: tests/oracle/layers.ts, reluForward.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read_write> outputs: array<f32>;

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
    let value = inputs[at];
    // not max: a NaN stays one
    if at < params.count { outputs[at] = select(value, 0.0, value < 0.0); }
  }
}
