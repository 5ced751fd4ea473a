// Gram tile by subgroups: what gram_tile.wgsl computes, where neighbouring invocations can pass one another what they read.
// Lavapipe is fastest this way, on panels in textures.
//
// One workgroup computes a pair of panels; one invocation 64 rows of 4 columns. LANES of them together read the 64 rows of a line, which
// then go from lane to lane, and each its four columns. LINES are read at a time, so that a sum is touched as much less often. A loop that
// is longer than what a core keeps of decoded instructions loses more than that: on Zen 5 beyond two to four lines.
// Sixteen invocations are two subgroups of lavapipe's 256-bit vectors, of 8 LANES each, or one of its 512-bit vectors.
// Dispatch: pair_count workgroups.
// Constants: QUADS is 16 / LANES, what a lane reads of a line's rows.
// Layout: rows and columns hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, 64 * tile_panels numbers a row.
// Needs: subgroups of at least LANES neighbouring invocations; its loops unrolled, since the lane of a broadcast must be a constant.
// Tails: rows are padded to whole panels; lines beyond the end of a segment count as zeros.
// Float64 twin: engine/reference/layers.ts, gramRows.

const LANES = 8;
const QUADS = 2;
const LINES = 8;

// How a part of a segment ends: see gram_tile.wgsl.
const GOES_ON = 0u;
const MULTIPLIES = 2u;

struct Params {
  row_length: u32,     // numbers of a packed row that are bound
  segment_count: u32,
  pair_count: u32,
  row_panels: u32,
  column_panels: u32,
  tile_row: u32,       // panel of rows at the tile's top
  tile_column: u32,    // panel of columns at its left
  tile_panels: u32,    // panels in a line of it
  continues: u32,      // 1: adds to what earlier slices of the rows have left in the tile
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> columns: array<vec4f>;
@group(0) @binding(3) var<storage, read> segments: array<vec4u>;  // parts: offset, length, 1 where a sum begins, how it ends
@group(0) @binding(4) var<storage, read> pairs: array<vec2u>;     // panel of rows, panel of columns
@group(0) @binding(5) var<storage, read_write> tile: array<vec4f>;

fn load_rows(panel: u32, k: u32, quad: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + quad];
}

fn load_columns(panel: u32, k: u32, quad: u32) -> vec4f {
  return columns[(panel * params.row_length + k) * 16u + quad];
}

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
