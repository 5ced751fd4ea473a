// Gram tile by subgroups: what gram_tile.wgsl computes, where neighbouring invocations can broadcast what they read to each other.
// Lavapipe is fastest this way, on panels in textures.
//
// One workgroup computes a pair of panels; one invocation 64 rows of 4 columns. For each k LANES invocations together read the 64 rows and
// broadcast them to each other, and each reads its own four columns. K_STEP values of k are read at a time, so that each sum is loaded and
// stored that much less often. A loop body that exceeds a core's cache of decoded instructions costs more than this saves: on Zen 5 beyond a
// K_STEP of 2 to 4. Sixteen invocations are two subgroups of LANES 8 with lavapipe's 256-bit vectors, or one with its 512-bit vectors.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: element k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels elements a row.
// Needs: subgroups of at least LANES neighbouring invocations; its loops unrolled, since the lane of a broadcast must be a constant.
// Tails: rows are padded to whole panels; k beyond the end of a part count as zeros.
// Float64 twin: engine/reference/gram.ts, gramRows.

import package::shared::gram::{params, segments, pairs, tile, load_rows, load_columns};
import package::shared::parts::{GOES_ON, MULTIPLIES};

// The host sets these to what is fastest on an adapter.
const LANES = 8;    // 8 or 16
const K_STEP = 8;

const VECTORS = 16 / LANES;   // vec4s of rows that an invocation reads for each k

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

  // The tile is loaded and stored once, since a CPU driver does that lane by lane.
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
    for (var k = part.x; k < end; k += K_STEP) {
      var a: array<vec4f, VECTORS * K_STEP>;
      var b: array<vec4f, K_STEP>;
      for (var u = 0u; u < K_STEP; u++) { // unroll
        let valid_k = min(k + u, end - 1u);
        for (var r = 0u; r < VECTORS; r++) { // unroll
          a[r * K_STEP + u] = load_rows(pair.x, valid_k, local % LANES + r * LANES);
        }
        b[u] = select(vec4f(), load_columns(pair.y, valid_k, local), k + u < end);
      }
      for (var q = 0u; q < 16u; q++) { // unroll
        for (var i = 0u; i < 4u; i++) { // unroll
          for (var u = 0u; u < K_STEP; u++) { // unroll
            sum[q * 4u + i] = fma(vec4f(subgroupBroadcast(a[q / LANES * K_STEP + u][i], q % LANES)), b[u], sum[q * 4u + i]);
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
