// Row maximum, an epilogue of a Gram tile: folds max over x' != x of kappa(x, x') into one number a sample, or over the x' that come after x
// when later is 1. A sample is redundant when its maximum is above its self-similarity (section 4.2 of the paper), so the matrix itself is
// never kept.
//
// One workgroup serves a pair of panels, 64 x 64 numbers; one invocation one of its columns, then one of its rows.
// Dispatch: pair_count workgroups.
// Layout: the tile is row-major, 64 * column_panels numbers a row; maximum [N] holds f32 as u32 in the same order: bits with the sign
//         flipped, or all bits where the number is negative; 0, which comes before all of them, where nothing has been compared yet.
// Tails: rows and columns beyond the counts are left out.
// Float64 twin: engine/reference/relations.ts, rowMaxima.

struct Params {
  pair_count: u32,
  column_panels: u32,
  first_row: u32,      // of the tile in the data set
  row_count: u32,
  first_column: u32,
  column_count: u32,
  later: u32,          // 1: only samples that come later in the data set are compared with
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

  // above the diagonal the samples of the columns come after those of the rows
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
  // on the diagonal rows and columns are the same samples
  if lane < height && !is_diagonal {
    var largest = LEAST;
    for (var j = 0u; j < width; j++) {
      largest = max(largest, tile[(row + lane) * stride + column + j]);
    }
    fold(params.first_row + row + lane, largest);
  }
}
