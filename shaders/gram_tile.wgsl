// Gram tile: tile[i, j] = sum over segments of the product of packed rows i and j (equation 3 of the paper, second line).
//   plain segment     sum_k a_i[k] a_j[k]
//   factored segment  (sum_k a_i[k] a_j[k]) * (sum_k d_i[k] d_j[k])
// The variant that runs everywhere. All variants sum over k in order from zero and add the segments in order, so they agree to the bit.
//
// One workgroup computes 64 x 64 numbers, a pair of panels; one invocation 8 x 8 of them.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels numbers a row.
// Tails: rows are padded to whole panels, so every load and store is in range; what stands in padded places is never read.
// Float64 twin: tests/oracle/layers.ts, gramRows.

struct Params {
  row_length: u32,     // numbers of a packed row that are bound
  segment_count: u32,
  pair_count: u32,
  row_panels: u32,
  column_panels: u32,
  tile_row: u32,       // panel of rows at the tile's top
  tile_column: u32,    // panel of columns at its left
  tile_panels: u32,    // panels in a line of it
  continues: u32,      // 1: adds to what earlier slices of the rows have left in the tile
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> columns: array<vec4f>;
@group(0) @binding(3) var<storage, read> segments: array<vec4u>;  // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(4) var<storage, read> pairs: array<vec2u>;     // panel of rows, panel of columns
@group(0) @binding(5) var<storage, read_write> tile: array<vec4f>;

fn load_rows(panel: u32, k: u32, quad: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + quad];
}

fn load_columns(panel: u32, k: u32, quad: u32) -> vec4f {
  return columns[(panel * params.row_length + k) * 16u + quad];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let pair = pairs[index];
  let row_quad = (lane / 8u) * 2u;  // rows 4 * row_quad .. + 7 of the panel
  let column_quad = lane % 8u;      // columns 4 * column_quad .. + 3 and 32 further on
  let stride = params.tile_panels * 16u;
  let at = ((pair.x - params.tile_row) * 64u + row_quad * 4u) * stride + (pair.y - params.tile_column) * 16u + column_quad;

  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    let factored = segment.w > 0u;
    // the first side of a factored segment is held while the second is contracted
    var held: array<vec4f, 16>;
    var sum: array<vec4f, 16>;
    for (var side = 0u; side < select(1u, 2u, factored); side++) {
      for (var i = 0u; i < 16u; i++) { // unroll
        held[i] = sum[i];
        sum[i] = vec4f();
      }
      let start = select(segment.x, segment.z, side == 1u);
      let end = start + select(segment.y, segment.w, side == 1u);
      for (var k = start; k < end; k++) {
        for (var r = 0u; r < 2u; r++) { // unroll
          let a = load_rows(pair.x, k, row_quad + r);
          for (var c = 0u; c < 2u; c++) { // unroll
            let b = load_columns(pair.y, k, column_quad + c * 8u);
            for (var i = 0u; i < 4u; i++) { // unroll
              sum[r * 8u + i * 2u + c] = fma(vec4f(a[i]), b, sum[r * 8u + i * 2u + c]);
            }
          }
        }
      }
    }
    for (var i = 0u; i < 8u; i++) { // unroll
      for (var c = 0u; c < 2u; c++) { // unroll
        let before = select(tile[at + i * stride + c * 8u], vec4f(), s + params.continues == 0u);
        let product = fma(held[i * 2u + c], sum[i * 2u + c], before);
        tile[at + i * stride + c * 8u] = select(before + sum[i * 2u + c], product, factored);
      }
    }
  }
}
