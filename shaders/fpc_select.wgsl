// Farthest-point clustering, last of a step's three kernels: the sample of each group that is least similar to its own centroid becomes the
// next centroid (algorithm 3 of the paper, lines 5 to 10); on a tie the one of the older cluster, then the one of the lower index.
//
// One workgroup serves one group.
// Dispatch: group_count workgroups.
// Layout: best, cluster and group_of [N]; centroid_counts and newest [group_count]; chosen [group_count, step_limit] sample of each step.
// Tails: invocations that see no sample of the group hold one that loses every comparison.
// Float64 twin: engine/reference/relations.ts, farthestPointClusters (fpc_gather, fpc_assign and fpc_select together).

struct Params {
  sample_count: u32,
  step: u32,           // index of the centroid to choose within its group
  step_limit: u32,     // the largest number of centroids of any group
  group_count: u32,
}

const LANES = 256u;
const LARGEST = 3.4028234e38;
const NONE = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> group_of: array<u32>;
@group(0) @binding(2) var<storage, read> centroid_counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> best: array<f32>;
@group(0) @binding(4) var<storage, read_write> cluster: array<u32>;
@group(0) @binding(5) var<storage, read_write> newest: array<u32>;
@group(0) @binding(6) var<storage, read_write> chosen: array<u32>;

var<workgroup> least: array<f32, LANES>;
var<workgroup> least_cluster: array<u32, LANES>;
var<workgroup> least_sample: array<u32, LANES>;

// Returns whether candidate b comes before candidate a.
fn precedes(b: f32, b_cluster: u32, b_sample: u32, a: f32, a_cluster: u32, a_sample: u32) -> bool {
  if b != a { return b < a; }
  if b_cluster != a_cluster { return b_cluster < a_cluster; }
  return b_sample < a_sample;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup.x + workgroup.y * workgroups.x;
  if group >= params.group_count { return; }
  var similarity = LARGEST;
  var own = NONE;
  var sample = NONE;
  for (var n = lane; n < params.sample_count; n += LANES) {
    if group_of[n] == group && precedes(best[n], cluster[n], n, similarity, own, sample) {
      similarity = best[n];
      own = cluster[n];
      sample = n;
    }
  }
  least[lane] = similarity;
  least_cluster[lane] = own;
  least_sample[lane] = sample;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    let other = lane + half;
    if lane < half && precedes(
      least[other], least_cluster[other], least_sample[other],
      least[lane], least_cluster[lane], least_sample[lane],
    ) {
      least[lane] = least[other];
      least_cluster[lane] = least_cluster[other];
      least_sample[lane] = least_sample[other];
    }
  }
  if lane != 0u { return; }
  if params.step >= centroid_counts[group] {
    newest[group] = NONE;
    return;
  }
  let next = least_sample[0];
  newest[group] = next;
  chosen[group * params.step_limit + params.step] = next;
  best[next] = LARGEST;
  cluster[next] = params.step;
}
