// Self-similarity, naively: similarity[n] = |phi(n)|^2, sum over segments of a row's product with itself.
//
// One invocation computes one row with plain loops.
// Dispatch: ceil(row_count / 64) workgroups.
// Layout: rows [row_count, row_length], row-major; similarity [row_count].
// Tails: invocations beyond the last row do nothing.
// Float64 twin: tests/oracle/layers.ts, gramRows (its diagonal).

struct Params {
  row_count: u32,
  row_length: u32,
  segment_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;  // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(3) var<storage, read_write> similarity: array<f32>;

fn square(row: u32, offset: u32, length: u32) -> f32 {
  var sum = 0.0;
  for (var k = offset; k < offset + length; k++) {
    let value = rows[row * params.row_length + k];
    sum += value * value;
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.x + group.y * groups.x) * 64u + lane;
  if row >= params.row_count { return; }
  var sum = 0.0;
  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    let a = square(row, segment.x, segment.y);
    if segment.w == 0u {
      sum += a;
    } else {
      sum += a * square(row, segment.z, segment.w);
    }
  }
  similarity[row] = sum;
}
