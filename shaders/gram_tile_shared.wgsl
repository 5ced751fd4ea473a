// Gram tile through workgroup memory: what gram_tile.wgsl computes, in the way that suits GPUs.
//
// One workgroup computes 128 x 128 numbers, a pair of two panels each; one invocation 8 x 8 of them. Eight lines of both operands are
// staged in workgroup memory at a time, and the next eight are on their way in registers meanwhile.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels numbers a row. Pairs number pairs of panels.
// Loops: a driver ends loops of more than 65,535 steps together, without a word: eight lines are one step, theirs are written out.
// Tails: the second panel of a pair may not exist: then the first is read in its place, and nothing of it is stored. Rows are padded to
//        whole panels; lines beyond the end of a segment count as zeros.
// Float64 twin: engine/reference/gram.ts, gramRows.

import package::shared::gram::{params, segments, pairs, tile, load_rows, load_columns};
import package::shared::parts::{GOES_ON, MULTIPLIES};

var<workgroup> staged_rows: array<vec4f, 256>;     // [8 lines][32 quads]
var<workgroup> staged_columns: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let pair = pairs[index];
  // what this invocation stages: line lane / 32 of eight, quad lane % 32 of two panels
  let line = lane / 32u;
  let quad = lane % 16u;
  let second = (lane / 16u) % 2u;
  let row_panel = min(pair.x * 2u + second, params.row_panels - 1u);
  let column_panel = min(pair.y * 2u + second, params.column_panels - 1u);
  // what it computes: quads y and 16 + y of the rows, x and 16 + x of the columns
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
    if part.x + line < end {
      next_rows = load_rows(row_panel, part.x + line, quad);
      next_columns = load_columns(column_panel, part.x + line, quad);
    }
    for (var k = part.x; k < end; k += 8u) {
      workgroupBarrier();
      staged_rows[lane] = next_rows;
      staged_columns[lane] = next_columns;
      workgroupBarrier();
      next_rows = vec4f();
      next_columns = vec4f();
      if k + 8u + line < end {
        next_rows = load_rows(row_panel, k + 8u + line, quad);
        next_columns = load_columns(column_panel, k + 8u + line, quad);
      }
      for (var l = 0u; l < 8u; l++) { // unroll
        for (var r = 0u; r < 2u; r++) { // unroll
          let a = staged_rows[l * 32u + r * 16u + y];
          for (var c = 0u; c < 2u; c++) { // unroll
            let b = staged_columns[l * 32u + c * 16u + x];
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
