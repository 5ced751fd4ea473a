// Gram tile by subgroups: what gram_tile.wgsl computes, where neighbouring invocations can pass one another what they read.
// Lavapipe is fastest this way, on panels in textures.
//
// One workgroup computes a pair of panels; one invocation 64 rows of 4 columns. LANES of them together read the 64 rows of a line, which
// then go from lane to lane, and each its four columns. LINES are read at a time, so that a sum is touched as much less often. A loop that
// is longer than what a core keeps of decoded instructions loses more than that: on Zen 5 beyond two to four lines.
// Sixteen invocations are two subgroups of lavapipe's 256-bit vectors, of 8 LANES each, or one of its 512-bit vectors.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels numbers a row.
// Needs: subgroups of at least LANES neighbouring invocations; its loops unrolled, since the lane of a broadcast must be a constant.
// Tails: rows are padded to whole panels; lines beyond the end of a segment count as zeros.
// Float64 twin: engine/reference/gram.ts, gramRows.

import package::shared::gram::{params, segments, pairs, tile, load_rows, load_columns};
import package::shared::parts::{GOES_ON, MULTIPLIES};

// The host sets these to what suits an adapter.
const LANES = 8;         // 8 or 16
const LINES = 8;

const QUADS = 16 / LANES; // that a lane reads of a line's rows

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = group.x + group.y * groups.x;
  if index >= params.pair_count { return; }
  let pair = pairs[index];
  let stride = params.tile_panels * 16u;
  let at = (pair.x - params.tile_row) * 64u * stride + (pair.y - params.tile_column) * 16u + local;

  // one store at the end: a CPU driver loads from a buffer and stores to it lane by lane
  var held: array<vec4f, 64>;
  var total: array<vec4f, 64>;
  if params.continues == 1u {
    for (var i = 0u; i < 64u; i++) { // unroll
      total[i] = tile[at + i * stride];
    }
  }
  for (var s = 0u; s < params.segment_count; s++) {
    let part = segments[s];
    let end = part.x + part.y;
    var sum: array<vec4f, 64>;
    for (var i = 0u; i < 64u; i++) { // unroll
      sum[i] = vec4f();
    }
    for (var k = part.x; k < end; k += LINES) {
      var a: array<vec4f, QUADS * LINES>;
      var b: array<vec4f, LINES>;
      for (var u = 0u; u < LINES; u++) { // unroll
        let line = min(k + u, end - 1u);
        for (var r = 0u; r < QUADS; r++) { // unroll
          a[r * LINES + u] = load_rows(pair.x, line, local % LANES + r * LANES);
        }
        b[u] = select(vec4f(), load_columns(pair.y, line, local), k + u < end);
      }
      for (var q = 0u; q < 16u; q++) { // unroll
        for (var i = 0u; i < 4u; i++) { // unroll
          for (var u = 0u; u < LINES; u++) { // unroll
            sum[q * 4u + i] = fma(vec4f(subgroupBroadcast(a[q / LANES * LINES + u][i], q % LANES)), b[u], sum[q * 4u + i]);
          }
        }
      }
    }
    let multiplies = part.w == MULTIPLIES;
    for (var i = 0u; i < 64u; i++) { // unroll
      let added = select(held[i] + sum[i], sum[i], part.z == 1u);
      held[i] = select(added, held[i], multiplies);
    }
    if part.w != GOES_ON {
      for (var i = 0u; i < 64u; i++) { // unroll
        total[i] = select(total[i] + held[i], fma(held[i], sum[i], total[i]), multiplies);
      }
    }
  }
  for (var i = 0u; i < 64u; i++) { // unroll
    tile[at + i * stride] = total[i];
  }
}
