// Self-similarity of packed rows: similarity[n] = sum over plain segments of |a_n|^2, plus sum over factored ones of |a_n|^2 |d_n|^2, in the
// order of gram_tile.wgsl, whose diagonal this is to the last bit.
//
// One workgroup computes a panel, one invocation 4 neighbouring rows of it, reading eight k at a time.
// Dispatch: panel_count workgroups.
// Layout: rows holds panels of 64 packed rows, k-major: element k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         similarity [64 * panels], written from row first_row + 64 * first_panel on, a multiple of 64.
// Tails: rows are padded to whole panels; k beyond the end of a part count as zeros.
// Float64 twin: engine/reference/gram.ts, gramRows.

import package::shared::parts::{ADDS, MULTIPLIES};

struct Params {
  row_length: u32,     // elements of a packed row that are bound
  segment_count: u32,
  first_panel: u32,    // of the launch
  panel_count: u32,    // in the launch
  first_row: u32,      // index of the first bound panel's first row among all rows
  continues: u32,      // 1: adds to what earlier slices of the rows have stored
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;  // parts (shared/parts.wgsl)
@group(0) @binding(3) var<storage, read_write> similarity: array<vec4f>;

// Element k of rows 4 * vector to 4 * vector + 3 of a panel.
fn load_rows(panel: u32, k: u32, vector: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + vector];
}

// Sums of the squares of four rows' elements from start on, one after another.
fn sum_squares(panel: u32, vector: u32, start: u32, length: u32) -> vec4f {
  let end = start + length;
  var sum = vec4f();
  for (var k = start; k < end; k += 8u) {
    for (var u = 0u; u < 8u; u++) { // unroll
      let element = select(vec4f(), load_rows(panel, min(k + u, end - 1u), vector), k + u < end);
      sum = fma(element, element, sum);
    }
  }
  return sum;
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) vector: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.panel_count { return; }
  let panel = params.first_panel + index;
  let at = params.first_row / 4u + panel * 16u + vector;
  var held = vec4f();
  var sum = select(vec4f(), similarity[at], params.continues == 1u);
  for (var s = 0u; s < params.segment_count; s++) {
    let part = segments[s];
    let squares = sum_squares(panel, vector, part.x, part.y);
    if part.w == MULTIPLIES {
      sum = fma(held, squares, sum);
    } else {
      held = select(held + squares, squares, part.z == 1u);
      sum = select(sum, sum + held, part.w == ADDS);
    }
  }
  similarity[at] = sum;
}
