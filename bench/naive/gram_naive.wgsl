// Gram matrix, naively: gram[i, j] = sum over segments of the product of packed rows i and j (equation 3 of the paper, second line).
//
// One invocation computes one entry with plain loops.
// Dispatch: ceil(row_count * row_count / 64) workgroups.
// Layout: rows [row_count, row_length], gram [row_count, row_count], both row-major.
// Tails: invocations beyond the last entry do nothing.
// Float64 twin: engine/reference/gram.ts, gramRows.

struct Params {
  row_count: u32,
  row_length: u32,
  segment_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;  // parts: offset, length, 1 where a sum begins, how it ends (gram_tile.wgsl)
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;

fn multiply(i: u32, j: u32, offset: u32, length: u32) -> f32 {
  var sum = 0.0;
  for (var k = offset; k < offset + length; k++) {
    sum += rows[i * params.row_length + k] * rows[j * params.row_length + k];
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let i = index / params.row_count;
  let j = index % params.row_count;
  if i >= params.row_count { return; }
  var held = 0.0;
  var sum = 0.0;
  for (var s = 0u; s < params.segment_count; s++) {
    let part = segments[s];
    let product = multiply(i, j, part.x, part.y);
    if part.w == 2u {
      sum += held * product;
    } else {
      held = select(held + product, product, part.z == 1u);
      sum += select(0.0, held, part.w == 1u);
    }
  }
  gram[index] = sum;
}
