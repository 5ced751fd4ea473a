// Farthest-point clustering, second third of a step: every sample that is strictly more similar to its group's newest centroid than to
// its own centroid moves to the newest cluster (algorithm 3 of the paper, lines 11 to 15).
//
// One workgroup serves four panels of 64 rows; one invocation four rows, whose similarity to the centroid sums the segments in the order
// of gram_tile.wgsl, so that rows and a stored kernel of the same device cluster alike.
// Dispatch: ceil(panel_count / 4) workgroups, once for each block.
// Layout: rows hold panels of 64 packed rows, k-major; centroids [row_length, group_count]; best, cluster and group_of [N].
// Tails: rows beyond row_count do nothing.
// Float64 twin: tests/oracle/relations.ts, farthestPointClusters (fpc_gather, fpc_assign and fpc_select together).

struct Params {
  row_length: u32,
  segment_count: u32,
  group_count: u32,
  first_row: u32,      // of this block
  row_count: u32,      // in this block
  step: u32,           // number of the newest cluster within its group
}

const NONE = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;   // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(3) var centroids: texture_storage_2d<r32float, read>;  // staged
@group(0) @binding(4) var<storage, read> newest: array<u32>;       // [group_count] sample, or NONE
@group(0) @binding(5) var<storage, read> group_of: array<u32>;     // or NONE for samples that are left out
@group(0) @binding(6) var<storage, read_write> best: array<f32>;   // similarity to the own centroid; f32's largest in centroids, its
                                                                   // least before the first step
@group(0) @binding(7) var<storage, read_write> cluster: array<u32>;

fn load_rows(panel: u32, k: u32, quad: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + quad];
}

fn load_centroid(i: u32) -> f32 {
  return textureLoad(centroids, vec2u(i % 4096u, i / 4096u)).x;
}

// Products of four rows, each with the centroid of its group.
fn sum_products(panel: u32, quad: u32, groups: vec4u, offset: u32, length: u32) -> vec4f {
  var sum = vec4f();
  let end = offset + length;
  var k = offset;
  if params.group_count == 1u {
    // one centroid serves four rows, and four lines are read at a time
    for (; k + 4u <= end; k += 4u) {
      var a: array<vec4f, 4>;
      for (var u = 0u; u < 4u; u++) { // unroll
        a[u] = load_rows(panel, k + u, quad);
      }
      for (var u = 0u; u < 4u; u++) { // unroll
        sum = fma(vec4f(load_centroid(k + u)), a[u], sum);
      }
    }
  }
  for (; k < end; k++) {
    let at = groups + k * params.group_count;
    let c = vec4f(load_centroid(at.x), load_centroid(at.y), load_centroid(at.z), load_centroid(at.w));
    sum = fma(c, load_rows(panel, k, quad), sum);
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (workgroup.x + workgroup.y * workgroups.x) * 256u + lane * 4u;
  if first >= params.row_count { return; }
  let sample = params.first_row + first;
  let last = params.first_row + params.row_count - 1u;
  let own = vec4u(
    group_of[sample],
    group_of[min(sample + 1u, last)],
    group_of[min(sample + 2u, last)],
    group_of[min(sample + 3u, last)],
  );
  let groups = min(own, vec4u(params.group_count - 1u));
  let panel = first / 64u;
  let quad = (first % 64u) / 4u;

  var sum = vec4f();
  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    let a = sum_products(panel, quad, groups, segment.x, segment.y);
    if segment.w == 0u {
      sum += a;
    } else {
      sum = fma(a, sum_products(panel, quad, groups, segment.z, segment.w), sum);
    }
  }
  for (var i = 0u; i < min(4u, params.row_count - first); i++) {
    if own[i] != NONE && newest[groups[i]] != NONE && sum[i] > best[sample + i] {
      best[sample + i] = sum[i];
      cluster[sample + i] = params.step;
    }
  }
}
