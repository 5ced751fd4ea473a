// Farthest-point clustering, first third of a step: copies the packed row of every group's newest centroid out of one block of rows.
//
// One invocation copies one number of one group's centroid; a centroid in another block, or none, is left alone.
// Dispatch: ceil(group_count * row_length / 64) workgroups, once for each block.
// Layout: rows hold panels of 64 packed rows, k-major; centroids [group_count, row_length].
// Float64 twin: tests/oracle/relations.ts, farthestPointClusters (fpc_gather, fpc_assign and fpc_select together).

struct Params {
  row_length: u32,
  group_count: u32,
  first_row: u32,      // of this block
  row_count: u32,      // in this block
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> newest: array<u32>;  // [group_count] sample, 0xffffffff when the group has all its centroids
@group(0) @binding(3) var<storage, read_write> centroids: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  if index >= params.group_count * params.row_length { return; }
  let sample = newest[index / params.row_length];
  if sample < params.first_row || sample - params.first_row >= params.row_count { return; }
  let row = sample - params.first_row;
  let k = index % params.row_length;
  centroids[index] = rows[((row / 64u) * params.row_length + k) * 64u + row % 64u];
}
