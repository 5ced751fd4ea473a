// Farthest-point clustering, second of a step's three kernels: every sample that is strictly more similar to its group's newest centroid
// than to its own centroid moves to the newest cluster (algorithm 3 of the paper, lines 11 to 15).
//
// One workgroup serves eight panels of 64 rows; one invocation eight rows, so that eight neighbouring invocations read a whole panel. A row's
// similarity to the centroid sums the segments in the order of gram_tile.wgsl, so that packed rows and a kernel stored on the same device
// give the same clusters.
// Dispatch: one workgroup for every eight panels, for each block of rows once or in parts.
// Layout: rows hold panels of 64 packed rows, k-major: element k of row n at ((n / 64) * row_length + k) * 64 + n % 64; centroids
//         [group_count, row_length rounded up to a multiple of 4]; best, cluster, group_of and similarity [N].
// Tails: rows beyond row_count do nothing; the k of a vec4 that are outside its part count as zeros.
// Float64 twin: engine/reference/relations.ts, farthestPointClusters (fpc_gather, fpc_assign and fpc_select together).

import package::shared::parts::{ADDS, MULTIPLIES};

struct Params {
  row_length: u32,
  segment_count: u32,
  group_count: u32,
  first_panel: u32,    // of the launch, a multiple of 8
  first_row: u32,      // of this block
  row_count: u32,      // in this block
  step: u32,           // index of the newest cluster within its group
  continues: u32,      // 1: adds to the similarities that earlier slices of the rows have stored
  ends: u32,           // 1: the last slice, which assigns clusters; the others only store similarities
}

const NONE = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;   // parts (shared/parts.wgsl)
@group(0) @binding(3) var<storage, read> centroids: array<vec4f>;  // which a launch may read from a texture copy
@group(0) @binding(4) var<storage, read> newest: array<u32>;       // [group_count] newest centroid's sample, or NONE
@group(0) @binding(5) var<storage, read> group_of: array<u32>;     // group of each sample, or NONE if it is left out
@group(0) @binding(6) var<storage, read_write> best: array<f32>;   // similarity to the own centroid; f32's largest for a centroid
                                                                   // itself, f32's lowest before the first step
@group(0) @binding(7) var<storage, read_write> cluster: array<u32>;
@group(0) @binding(8) var<storage, read_write> similarity: array<f32>;  // to the newest centroid, summed over slices

// Element k of rows 4 * vector to 4 * vector + 3 of a panel.
fn load_rows(panel: u32, k: u32, vector: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + vector];
}

// Elements k to k + 3 of a group's centroid, for k a multiple of 4.
fn load_centroid(group: u32, k: u32) -> vec4f {
  let i = group * ((params.row_length + 3u) / 4u) + k / 4u;
  return centroids[i];
}

// Returns whether each of k to k + 3 is in the part from offset up to end.
fn mask_part(k: u32, offset: u32, end: u32) -> vec4<bool> {
  let four = vec4u(k, k + 1u, k + 2u, k + 3u);
  return (four >= vec4u(offset)) & (four < vec4u(end));
}

// Dot products over one part of eight rows, vec4s `vector` and `vector + 8` of a panel, each with the centroid of its group. Four k are taken
// at a time, aligned to the centroids' vec4s, and those outside the part count as zeros: a CPU driver pays for every loop that begins, and
// so one loop goes over all k.
fn sum_products(panel: u32, vector: u32, groups: array<vec4u, 2>, offset: u32, length: u32) -> array<vec4f, 2> {
  var sum: array<vec4f, 2>;
  let end = offset + length;
  let start = offset / 4u * 4u;
  // A single group: one centroid for all rows.
  for (var k = start; k < select(start, end, params.group_count == 1u); k += 4u) {
    let c = select(vec4f(), load_centroid(0u, k), mask_part(k, offset, end));
    for (var u = 0u; u < 4u; u++) { // unroll
      for (var h = 0u; h < 2u; h++) { // unroll
        sum[h] = fma(vec4f(c[u]), load_rows(panel, clamp(k + u, offset, end - 1u), vector + 8u * h), sum[h]);
      }
    }
  }
  for (var k = start; k < select(end, start, params.group_count == 1u); k += 4u) {
    let has = mask_part(k, offset, end);
    for (var h = 0u; h < 2u; h++) { // unroll
      let x = select(vec4f(), load_centroid(groups[h].x, k), has);
      let y = select(vec4f(), load_centroid(groups[h].y, k), has);
      let z = select(vec4f(), load_centroid(groups[h].z, k), has);
      let w = select(vec4f(), load_centroid(groups[h].w, k), has);
      for (var u = 0u; u < 4u; u++) { // unroll
        sum[h] = fma(vec4f(x[u], y[u], z[u], w[u]), load_rows(panel, clamp(k + u, offset, end - 1u), vector + 8u * h), sum[h]);
      }
    }
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let panel = params.first_panel + (workgroup.x + workgroup.y * workgroups.x) * 8u + lane / 8u;
  let vector = lane % 8u;
  let first = panel * 64u + vector * 4u;
  if first >= params.row_count { return; }
  let last = params.row_count - 1u;
  var own: array<vec4u, 2>;
  var groups: array<vec4u, 2>;
  var held: array<vec4f, 2>;
  var sum: array<vec4f, 2>;
  for (var h = 0u; h < 2u; h++) { // unroll
    for (var i = 0u; i < 4u; i++) { // unroll
      own[h][i] = group_of[params.first_row + min(first + 32u * h + i, last)];
    }
    groups[h] = min(own[h], vec4u(params.group_count - 1u));
    if params.continues == 1u {
      for (var i = 0u; i < 4u; i++) { // unroll
        sum[h][i] = similarity[params.first_row + min(first + 32u * h + i, last)];
      }
    }
  }
  for (var s = 0u; s < params.segment_count; s++) {
    let part = segments[s];
    let products = sum_products(panel, vector, groups, part.x, part.y);
    for (var h = 0u; h < 2u; h++) { // unroll
      if part.w == MULTIPLIES {
        sum[h] = fma(held[h], products[h], sum[h]);
      } else {
        held[h] = select(held[h] + products[h], products[h], part.z == 1u);
        sum[h] = select(sum[h], sum[h] + held[h], part.w == ADDS);
      }
    }
  }
  for (var h = 0u; h < 2u; h++) { // unroll
    for (var i = 0u; i < 4u; i++) { // unroll
      let row = first + 32u * h + i;
      let sample = params.first_row + row;
      if params.ends == 0u && row <= last { similarity[sample] = sum[h][i]; }
      if params.ends == 1u && row <= last && own[h][i] != NONE && newest[groups[h][i]] != NONE && sum[h][i] > best[sample] {
        best[sample] = sum[h][i];
        cluster[sample] = params.step;
      }
    }
  }
}
