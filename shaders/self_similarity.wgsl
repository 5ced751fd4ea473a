// Self-similarity: similarity[n] = kappa(n, n) = |phi(n)|^2, with the segments of gram_tile.wgsl and in its order of summation.
//
// One workgroup computes a panel of 64 rows; one invocation one row.
// Dispatch: panel_count workgroups.
// Layout: rows hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
// Tails: rows are padded to whole panels; the output holds a place for each padded row.
// Float64 twin: tests/oracle/layers.ts, gramRows (its diagonal).

struct Params {
  row_length: u32,
  segment_count: u32,
  panel_count: u32,
  first_row: u32,      // where this block's rows begin in the output
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;  // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(3) var<storage, read_write> similarity: array<f32>;

fn add_squares(start: f32, row_at: u32, offset: u32, length: u32) -> f32 {
  var sum = start;
  for (var k = offset; k < offset + length; k++) {
    let a = rows[row_at + k * 64u];
    sum = fma(a, a, sum);
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let panel = group.x + group.y * groups.x;
  if panel >= params.panel_count { return; }
  let row_at = panel * params.row_length * 64u + lane;
  var sum = 0.0;
  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    if segment.w == 0u {
      sum = add_squares(sum, row_at, segment.x, segment.y);
    } else {
      let a = add_squares(0.0, row_at, segment.x, segment.y);
      let d = add_squares(0.0, row_at, segment.z, segment.w);
      sum = fma(a, d, sum);
    }
  }
  similarity[params.first_row + panel * 64u + lane] = sum;
}
