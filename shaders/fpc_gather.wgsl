// Farthest-point clustering, first of a step's three kernels: copies the packed row of each group's newest centroid from one block of rows.
//
// One invocation copies one element of one group's centroid, unless the group has none or it is in another block.
// Dispatch: ceil(group_count * row_length / 64) workgroups, once for each block of rows.
// Layout: rows hold panels of 64 packed rows, k-major: element k of row n at ((n / 64) * row_length + k) * 64 + n % 64; centroids
//         [group_count, row_length rounded up to a multiple of 4].
// Tails: invocations beyond the last element do nothing.
// Float64 twin: engine/reference/relations.ts, farthestPointClusters (fpc_gather, fpc_assign and fpc_select together).

struct Params {
  row_length: u32,
  group_count: u32,
  first_row: u32,      // of this block
  row_count: u32,      // in this block
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> newest: array<u32>;  // [group_count] sample; 0xffffffff once a group has all its centroids
@group(0) @binding(3) var<storage, read_write> centroids: array<f32>;

// Element k of rows 4 * vector to 4 * vector + 3 of a panel.
fn load_rows(panel: u32, k: u32, vector: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + vector];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  let group = index / params.row_length;
  if group >= params.group_count { return; }
  let sample = newest[group];
  if sample < params.first_row || sample - params.first_row >= params.row_count { return; }
  let row = sample - params.first_row;
  let k = index % params.row_length;
  centroids[group * ((params.row_length + 3u) / 4u * 4u) + k] = load_rows(row / 64u, k, (row % 64u) / 4u)[row % 4u];
}
