// Relation counts, an epilogue of a Gram tile: how many of its pairs of samples i < j are interchangeable, contradictory, unrelated, or in
// between. Kappa is compared with a share of both self-similarities (section 3 and appendix C of the paper).
//
// One workgroup serves a pair of panels, 64 x 64 elements; one invocation one of its columns.
// Dispatch: pair_count workgroups.
// Layout: the tile is row-major, 64 * column_panels elements a row; similarity [N] self-similarities; counts [tiles, 4] in the order above.
// Tails: rows and columns beyond row_count and column_count are left out.
// Float64 twin: engine/reference/relations.ts, relatePairs.

struct Params {
  pair_count: u32,
  column_panels: u32,
  first_row: u32,      // index in the data set of the tile's first row
  row_count: u32,
  first_column: u32,
  column_count: u32,
  slot: u32,           // row of counts that is this tile's
  threshold: f32,      // least share of both self-similarities of an interchangeable pair
  epsilon: f32,        // largest share of both of an unrelated pair
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tile: array<f32>;
@group(0) @binding(2) var<storage, read> pairs: array<vec2u>;  // panel of rows, panel of columns
@group(0) @binding(3) var<storage, read> similarity: array<f32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let row = pairs[index].x * 64u;
  let column = pairs[index].y * 64u + lane;
  if column >= params.column_count { return; }
  let stride = params.column_panels * 64u;
  let other = params.first_column + column;
  let other_self = similarity[other];

  var interchangeable = 0u;
  var contradictory = 0u;
  var unrelated = 0u;
  var between = 0u;
  for (var i = row; i < min(row + 64u, params.row_count); i++) {
    let sample = params.first_row + i;
    if sample >= other { break; }
    let kappa = tile[i * stride + column];
    let least = min(similarity[sample], other_self);
    let most = params.threshold * max(similarity[sample], other_self);
    if least <= 0.0 {
      between += 1u;
    } else if kappa >= most {
      interchangeable += 1u;
    } else if kappa <= -most {
      contradictory += 1u;
    } else if abs(kappa) <= params.epsilon * least {
      unrelated += 1u;
    } else {
      between += 1u;
    }
  }
  atomicAdd(&counts[params.slot * 4u], interchangeable);
  atomicAdd(&counts[params.slot * 4u + 1u], contradictory);
  atomicAdd(&counts[params.slot * 4u + 2u], unrelated);
  atomicAdd(&counts[params.slot * 4u + 3u], between);
}
