// Self-similarity: similarity[n] = kappa(n, n) = |phi(n)|^2, with the segments of gram_tile.wgsl and in its order of summation.
//
// One workgroup computes eight panels of 64 rows; one invocation eight rows, so that eight neighbours read a panel from end to end.
// Dispatch: ceil(panel_count / 8) workgroups.
// Layout: rows hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
// Tails: rows are padded to whole panels; the output holds a place for each padded row.
// Float64 twin: tests/oracle/layers.ts, gramRows (its diagonal).

struct Params {
  row_length: u32,
  segment_count: u32,
  panel_count: u32,
  first_panel: u32,    // where this block's rows begin in the output
  continues: u32,      // 1: adds to what earlier slices of the rows have left there
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> segments: array<vec4u>;  // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(3) var<storage, read_write> similarity: array<vec4f>;

fn load_rows(panel: u32, k: u32, quad: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + quad];
}

// Sums of eight rows, quads `quad` and `quad + 8` of a panel.
fn sum_squares(panel: u32, quad: u32, offset: u32, length: u32) -> array<vec4f, 2> {
  var sum: array<vec4f, 2>;
  let end = offset + length;
  var k = offset;
  // four lines at a time
  for (; k + 4u <= end; k += 4u) {
    for (var u = 0u; u < 4u; u++) { // unroll
      for (var h = 0u; h < 2u; h++) { // unroll
        let a = load_rows(panel, k + u, quad + 8u * h);
        sum[h] = fma(a, a, sum[h]);
      }
    }
  }
  for (; k < end; k++) {
    for (var h = 0u; h < 2u; h++) { // unroll
      let a = load_rows(panel, k, quad + 8u * h);
      sum[h] = fma(a, a, sum[h]);
    }
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let panel = (group.x + group.y * groups.x) * 8u + lane / 8u;
  let quad = lane % 8u;
  if panel >= params.panel_count { return; }
  let at = (params.first_panel + panel) * 16u + quad;
  var sum: array<vec4f, 2>;
  for (var h = 0u; h < 2u; h++) { // unroll
    sum[h] = select(vec4f(), similarity[at + 8u * h], params.continues == 1u);
  }
  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    let a = sum_squares(panel, quad, segment.x, segment.y);
    if segment.w == 0u {
      for (var h = 0u; h < 2u; h++) { // unroll
        sum[h] += a[h];
      }
    } else {
      let d = sum_squares(panel, quad, segment.z, segment.w);
      for (var h = 0u; h < 2u; h++) { // unroll
        sum[h] = fma(a[h], d[h], sum[h]);
      }
    }
  }
  for (var h = 0u; h < 2u; h++) { // unroll
    similarity[at + 8u * h] = sum[h];
  }
}
