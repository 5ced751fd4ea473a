// Factored segment of a packed row, naively: one side of a dense layer's gradient, copied from sample-major to k-major panels, then a one
// for the bias.
//
// One invocation copies one sample with a plain loop.
// Dispatch: ceil(sample_count / 64) workgroups.
// Layout: values [sample_count, length]; element k of row n is written to ((n / 64) * (length + 1) + k) * 64 + n % 64.
// Tails: invocations beyond the last sample do nothing.
// Float64 twin: engine/reference/convolution.ts, projectFactored.

struct Params {
  sample_count: u32,
  length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = (group.x + group.y * groups.x) * 64u + lane;
  if n >= params.sample_count { return; }
  let at = (n / 64u) * (params.length + 1u) * 64u + n % 64u;
  for (var k = 0u; k < params.length; k++) {
    rows[at + k * 64u] = values[n * params.length + k];
  }
  rows[at + params.length * 64u] = 1.0;
}
