// Gram tile through workgroup memory: what gram_tile.wgsl computes, in the way that is fastest on GPUs.
//
// One workgroup computes 128 x 128 elements, of two panels of rows and two of columns; one invocation 8 x 8 of them. Eight k of both operands
// are in workgroup memory at a time, while the next eight are loaded into registers.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: element k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels elements a row. Pairs hold indices of pairs of panels.
// Loops: lavapipe silently ends the loops of an invocation after 65,535 steps in all, so eight k are one step, in which they are unrolled.
// Tails: the second panel of a pair may not exist: then the last one is read instead, and nothing of it is stored. Rows are padded to
//        whole panels; k beyond the end of a part count as zeros.
// Float64 twin: engine/reference/gram.ts, gramRows.

import package::shared::gram::{params, segments, pairs, tile, load_rows, load_columns};
import package::shared::parts::{GOES_ON, MULTIPLIES};

var<workgroup> shared_rows: array<vec4f, 256>;     // [8 k][32 vec4s of two panels]
var<workgroup> shared_columns: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let pair = pairs[index];
  // This invocation loads k lane / 32 of eight, vec4 lane % 32 of two panels.
  let own_k = lane / 32u;
  let vector = lane % 16u;
  let second = (lane / 16u) % 2u;
  let row_panel = min(pair.x * 2u + second, params.row_panels - 1u);
  let column_panel = min(pair.y * 2u + second, params.column_panels - 1u);
  // It computes vec4s y and 16 + y of the rows, x and 16 + x of the columns.
  let x = lane % 16u;
  let y = lane / 16u;
  let stride = params.tile_panels * 16u;

  var held: array<vec4f, 16>;
  var is_written = params.continues == 1u;
  for (var s = 0u; s < params.segment_count; s++) {
    let part = segments[s];
    let end = part.x + part.y;
    var sum: array<vec4f, 16>;
    for (var i = 0u; i < 16u; i++) { // unroll
      sum[i] = vec4f();
    }
    var next_rows = vec4f();
    var next_columns = vec4f();
    if part.x + own_k < end {
      next_rows = load_rows(row_panel, part.x + own_k, vector);
      next_columns = load_columns(column_panel, part.x + own_k, vector);
    }
    for (var k = part.x; k < end; k += 8u) {
      workgroupBarrier();
      shared_rows[lane] = next_rows;
      shared_columns[lane] = next_columns;
      workgroupBarrier();
      next_rows = vec4f();
      next_columns = vec4f();
      if k + 8u + own_k < end {
        next_rows = load_rows(row_panel, k + 8u + own_k, vector);
        next_columns = load_columns(column_panel, k + 8u + own_k, vector);
      }
      for (var l = 0u; l < 8u; l++) { // unroll
        for (var r = 0u; r < 2u; r++) { // unroll
          let a = shared_rows[l * 32u + r * 16u + y];
          for (var c = 0u; c < 2u; c++) { // unroll
            let b = shared_columns[l * 32u + c * 16u + x];
            for (var i = 0u; i < 4u; i++) { // unroll
              sum[r * 8u + i * 2u + c] = fma(vec4f(a[i]), b, sum[r * 8u + i * 2u + c]);
            }
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
      for (var r = 0u; r < 2u; r++) { // unroll
        for (var c = 0u; c < 2u; c++) { // unroll
          if pair.x * 2u + r < params.row_panels && pair.y * 2u + c < params.column_panels {
            let at = ((pair.x * 2u + r - params.tile_row) * 64u + y * 4u) * stride
              + (pair.y * 2u + c - params.tile_column) * 16u + x;
            for (var i = 0u; i < 4u; i++) { // unroll
              let before = select(vec4f(), tile[at + i * stride], is_written);
              let product = fma(held[r * 8u + i * 2u + c], sum[r * 8u + i * 2u + c], before);
              tile[at + i * stride] = select(before + held[r * 8u + i * 2u + c], product, multiplies);
            }
          }
        }
      }
      is_written = true;
    }
  }
}
