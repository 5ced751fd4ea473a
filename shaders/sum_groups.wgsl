// Sums of groups: sums[k] = sum over g of groups[g, first + k], in the order of g. It ends a filter gradient that
// filter_gradient computed in parts, one for each group of samples.
//
// One invocation computes one sum.
// Dispatch: ceil(count / 64) workgroups.
// Layout: groups [group_count, group_size], sums [count].
// Tails: invocations beyond the last sum do nothing.
// Float64 twin: engine/reference/convolution.ts, sumGroups.

struct Params {
  group_count: u32,
  group_size: u32,
  first: u32,          // index in each group of the first element to sum
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> groups: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let k = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  if k >= params.count { return; }
  var sum = 0.0;
  var at = params.first + k;
  for (var g = 0u; g < params.group_count; g++) {
    sum += groups[at];
    at += params.group_size;
  }
  sums[k] = sum;
}
