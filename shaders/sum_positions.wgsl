// Sum over positions, an epilogue of a Gram tile of a factored convolution, which has one row for each output position of a sample:
//   tile[n, m] += sum_pq products[n p, m q]
// (equation 3 of the paper, second line: a layer's gradient is a sum of outer products over its positions).
//
// One workgroup serves 16 rows of a pair of panels of samples; one invocation one of their 64 columns. Positions are summed in an order that
// is the same for (n, m) and (m, n), so that the kernel is symmetric to the bit.
// Dispatch: 4 * pair_count workgroups.
// Layout: products row-major, 64 * product_panels elements a row, position p of sample n in row n * positions + p, where n counts from the
//         first sample of panel product_row; the tile row-major, 64 * tile_panels elements a row.
// Tails: rows are padded to whole panels; elements of the padding are never read.
// Float64 twin: engine/reference/gram.ts, gramRows (a segment of several positions).

struct Params {
  pair_count: u32,
  positions: u32,
  product_row: u32,     // first panel of samples in the products' rows
  product_column: u32,  // first panel of samples in the products' columns
  product_panels: u32,  // panels of positions in a row of the products
  tile_row: u32,        // first panel of samples in the tile's rows
  tile_column: u32,     // first panel of samples in the tile's columns
  tile_panels: u32,     // panels of samples in a row of the tile
  continues: u32,       // 1: adds to what earlier slices of the rows have stored in the tile
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> products: array<f32>;
@group(0) @binding(2) var<storage, read> pairs: array<vec2u>;  // panel of rows, panel of columns
@group(0) @binding(3) var<storage, read_write> tile: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count * 4u { return; }
  let pair = pairs[index / 4u];
  let count = params.positions;
  let stride = params.product_panels * 64u;
  let column = ((pair.y - params.product_column) * 64u + lane) * count;
  for (var i = 0u; i < 16u; i++) {
    let n = (index % 4u) * 16u + i;
    let row = ((pair.x - params.product_row) * 64u + n) * count;
    var sum = 0.0;
    for (var p = 0u; p < count; p++) {
      sum += products[(row + p) * stride + column + p];
      for (var q = 0u; q < p; q++) {
        sum += products[(row + p) * stride + column + q] + products[(row + q) * stride + column + p];
      }
    }
    let at = ((pair.x - params.tile_row) * 64u + n) * params.tile_panels * 64u + (pair.y - params.tile_column) * 64u + lane;
    tile[at] = sum + select(0.0, tile[at], params.continues == 1u);
  }
}
