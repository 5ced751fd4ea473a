// Row maximum, an epilogue of a Gram tile: folds kappa(x, x') into each sample's maximum over x' != x, or over the x' that come after x when
// later is 1. A sample is redundant when its maximum is above its self-similarity (section 4.2 of the paper), so the matrix itself is never
// stored.
//
// One workgroup serves a pair of panels, 64 x 64 elements; one invocation one of its columns, then one of its rows.
// Dispatch: pair_count workgroups.
// Layout: the tile is row-major, 64 * column_panels elements a row; maximum [N] holds f32 as u32 of the same order: the bits with the sign
//         flipped, or with all bits flipped where the value is negative; 0, which is below all of them, means nothing compared yet.
// Tails: rows and columns beyond row_count and column_count are left out.
// Float64 twin: engine/reference/relations.ts, rowMaxima.

struct Params {
  pair_count: u32,
  column_panels: u32,
  first_row: u32,      // index in the data set of the tile's first row
  row_count: u32,
  first_column: u32,
  column_count: u32,
  later: u32,          // 1: a sample is compared only with samples of a higher index
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tile: array<f32>;
@group(0) @binding(2) var<storage, read> pairs: array<vec2u>;  // panel of rows, panel of columns
@group(0) @binding(3) var<storage, read_write> maximum: array<atomic<u32>>;

const LEAST = -3.4028234663852886e38;

fn fold(sample: u32, value: f32) {
  let bits = bitcast<u32>(value);
  atomicMax(&maximum[sample], select(bits | 0x80000000u, ~bits, bits >= 0x80000000u));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let row = pairs[index].x * 64u;
  let column = pairs[index].y * 64u;
  let height = min(64u, params.row_count - row);
  let width = min(64u, params.column_count - column);
  let stride = params.column_panels * 64u;
  let is_diagonal = params.first_row + row == params.first_column + column;

  // Columns. Above the diagonal their samples come after those of the rows, so that with later none has anything to compare.
  if lane < width && (is_diagonal || params.later == 0u) {
    var largest = LEAST;
    var compared = false;
    for (var i = 0u; i < height; i++) {
      if is_diagonal && (i == lane || (i < lane && params.later == 1u)) { continue; }
      largest = max(largest, tile[(row + i) * stride + column + lane]);
      compared = true;
    }
    if compared { fold(params.first_column + column + lane, largest); }
  }
  // Rows. On the diagonal they are the same samples as the columns, and done already.
  if lane < height && !is_diagonal {
    var largest = LEAST;
    for (var j = 0u; j < width; j++) {
      largest = max(largest, tile[(row + lane) * stride + column + j]);
    }
    fold(params.first_row + row + lane, largest);
  }
}
