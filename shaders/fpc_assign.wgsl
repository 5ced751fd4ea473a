// Farthest-point clustering, second third of a step: every sample that is strictly more similar to its group's newest centroid than to
// its own centroid moves to the newest cluster (algorithm 3 of the paper, lines 11 to 15).
//
// One workgroup serves a panel of 64 rows; one invocation one row, whose similarity to the centroid sums the segments in the order of
// gram_tile.wgsl, so that rows and a stored kernel of the same device cluster alike.
// Dispatch: panel_count workgroups, once for each block.
// Layout: rows hold panels of 64 packed rows, k-major; centroids [group_count, row_length]; best, cluster and group_of [N].
// Tails: rows beyond row_count do nothing.
// Float64 twin: tests/oracle/relations.ts, farthestPointClusters (fpc_gather, fpc_assign and fpc_select together).

struct Params {
  row_length: u32,
  segment_count: u32,
  panel_count: u32,
  first_row: u32,      // of this block
  row_count: u32,      // in this block
  step: u32,           // number of the newest cluster within its group
}

const NONE = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;   // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(3) var<storage, read> centroids: array<f32>;
@group(0) @binding(4) var<storage, read> newest: array<u32>;       // [group_count] sample, or NONE
@group(0) @binding(5) var<storage, read> group_of: array<u32>;     // or NONE for samples that are left out
@group(0) @binding(6) var<storage, read_write> best: array<f32>;   // similarity to the own centroid; f32's largest in centroids, its
                                                                   // least before the first step
@group(0) @binding(7) var<storage, read_write> cluster: array<u32>;

fn add_products(start: f32, row_at: u32, centroid_at: u32, offset: u32, length: u32) -> f32 {
  var sum = start;
  for (var k = offset; k < offset + length; k++) {
    sum = fma(centroids[centroid_at + k], rows[row_at + k * 64u], sum);
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let panel = workgroup.x + workgroup.y * workgroups.x;
  let row = panel * 64u + lane;
  if panel >= params.panel_count || row >= params.row_count { return; }
  let sample = params.first_row + row;
  let group = group_of[sample];
  if group == NONE || newest[group] == NONE { return; }

  let row_at = panel * params.row_length * 64u + lane;
  let centroid_at = group * params.row_length;
  var sum = 0.0;
  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    if segment.w == 0u {
      sum = add_products(sum, row_at, centroid_at, segment.x, segment.y);
    } else {
      let a = add_products(0.0, row_at, centroid_at, segment.x, segment.y);
      let d = add_products(0.0, row_at, centroid_at, segment.z, segment.w);
      sum = fma(a, d, sum);
    }
  }
  if sum > best[sample] {
    best[sample] = sum;
    cluster[sample] = params.step;
  }
}
