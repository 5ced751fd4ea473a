// Gram tile: tile[i, j] = sum over segments of the product of packed rows i and j (equation 3 of the paper, second line).
//   plain segment     sum_k a_i[k] a_j[k]
//   factored segment  (sum_k a_i[k] a_j[k]) * (sum_k d_i[k] d_j[k])
// The variant that runs everywhere. All variants add the same numbers in the same order, so they agree to the bit.
//
// Segments are cut into parts, which end in one of three ways: see shared/parts.wgsl.
//
// One workgroup computes 64 x 64 elements, a pair of panels; one invocation 8 x 8 of them.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: element k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels elements a row.
// Tails: rows are padded to whole panels, so every load and store is in range; elements of the padding are never read.
// Float64 twin: engine/reference/gram.ts, gramRows.

import package::shared::gram::{params, segments, pairs, tile, load_rows, load_columns};
import package::shared::parts::{GOES_ON, MULTIPLIES};

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let pair = pairs[index];
  let row_vector = (lane / 8u) * 2u;  // rows 4 * row_vector to + 7 of the panel
  let column_vector = lane % 8u;      // columns 4 * column_vector to + 3, and the same 32 columns further on
  let stride = params.tile_panels * 16u;
  let at = ((pair.x - params.tile_row) * 64u + row_vector * 4u) * stride + (pair.y - params.tile_column) * 16u + column_vector;

  var held: array<vec4f, 16>;
  var is_written = params.continues == 1u;
  for (var s = 0u; s < params.segment_count; s++) {
    let part = segments[s];
    var sum: array<vec4f, 16>;
    for (var i = 0u; i < 16u; i++) { // unroll
      sum[i] = vec4f();
    }
    for (var k = part.x; k < part.x + part.y; k++) {
      for (var r = 0u; r < 2u; r++) { // unroll
        let a = load_rows(pair.x, k, row_vector + r);
        for (var c = 0u; c < 2u; c++) { // unroll
          let b = load_columns(pair.y, k, column_vector + c * 8u);
          for (var i = 0u; i < 4u; i++) { // unroll
            sum[r * 8u + i * 2u + c] = fma(vec4f(a[i]), b, sum[r * 8u + i * 2u + c]);
          }
        }
      }
    }
    let multiplies = part.w == MULTIPLIES;
    for (var i = 0u; i < 16u; i++) { // unroll
      let added = select(held[i] + sum[i], sum[i], part.z == 1u);
      held[i] = select(added, held[i], multiplies);
    }
    if part.w != GOES_ON {
      for (var i = 0u; i < 8u; i++) { // unroll
        for (var c = 0u; c < 2u; c++) { // unroll
          let before = select(vec4f(), tile[at + i * stride + c * 8u], is_written);
          let product = fma(held[i * 2u + c], sum[i * 2u + c], before);
          tile[at + i * stride + c * 8u] = select(before + held[i * 2u + c], product, multiplies);
        }
      }
      is_written = true;
    }
  }
}
