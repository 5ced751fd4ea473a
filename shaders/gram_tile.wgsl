// Gram tile: tile[i, j] = sum over segments of the product of packed rows i and j (equation 3 of the paper, second line).
//   plain segment     sum_k a_i[k] a_j[k]
//   factored segment  (sum_k a_i[k] a_j[k]) * (sum_k d_i[k] d_j[k])
//
// One workgroup computes 64 x 64 numbers, a pair of panels; one invocation 8 x 8 of them, as four 4 x 4 matrices.
// Dispatch: pair_count workgroups.
// Layout: rows and columns hold panels of 64 packed rows, k-major: number k of row n at ((n / 64) * row_length + k) * 64 + n % 64.
//         The tile is row-major, tile_columns numbers a row.
// Tails: rows are padded to whole panels, so every load and store is in range; what stands in padded places is never read.
// Float64 twin: tests/oracle/layers.ts, gramRows.

struct Params {
  row_length: u32,     // numbers in a packed row
  segment_count: u32,
  pair_count: u32,
  tile_columns: u32,   // a multiple of 64
  mirror: u32,         // 1: also write the transpose of every pair off the diagonal
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> columns: array<vec4f>;
@group(0) @binding(3) var<storage, read> segments: array<vec4u>;  // a's offset and length, d's offset and length (0: plain)
@group(0) @binding(4) var<storage, read> pairs: array<vec2u>;     // panel of rows, panel of columns
@group(0) @binding(5) var<storage, read_write> tile: array<vec4f>;

// Products of 8 rows and 8 columns: quadrants of 4 x 4, each column of a matrix belongs to one row.
struct Block {
  upper_left: mat4x4f,
  upper_right: mat4x4f,
  lower_left: mat4x4f,
  lower_right: mat4x4f,
}

fn add_outer(sum: mat4x4f, a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(a.x), b, sum[0]),
    fma(vec4f(a.y), b, sum[1]),
    fma(vec4f(a.z), b, sum[2]),
    fma(vec4f(a.w), b, sum[3]),
  );
}

// Adds the products of `length` numbers from `offset` on, in order of k, to `start`.
fn contract(start: Block, row_at: u32, column_at: u32, offset: u32, length: u32) -> Block {
  var sum = start;
  var i = row_at + offset * 16u;
  var j = column_at + offset * 16u;
  for (var k = 0u; k < length; k++) {
    let a0 = rows[i];
    let a1 = rows[i + 1u];
    let b0 = columns[j];
    let b1 = columns[j + 8u];
    sum.upper_left = add_outer(sum.upper_left, a0, b0);
    sum.upper_right = add_outer(sum.upper_right, a0, b1);
    sum.lower_left = add_outer(sum.lower_left, a1, b0);
    sum.lower_right = add_outer(sum.lower_right, a1, b1);
    i += 16u;
    j += 16u;
  }
  return sum;
}

// sum + a * b, element by element.
fn add_product(sum: mat4x4f, a: mat4x4f, b: mat4x4f) -> mat4x4f {
  return mat4x4f(
    fma(a[0], b[0], sum[0]),
    fma(a[1], b[1], sum[1]),
    fma(a[2], b[2], sum[2]),
    fma(a[3], b[3], sum[3]),
  );
}

fn store(row: u32, column: u32, m: mat4x4f) {
  let stride = params.tile_columns / 4u;
  let at = row * stride + column / 4u;
  tile[at] = m[0];
  tile[at + stride] = m[1];
  tile[at + 2u * stride] = m[2];
  tile[at + 3u * stride] = m[3];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let pair_index = group.x + group.y * groups.x;
  if pair_index >= params.pair_count { return; }
  let pair = pairs[pair_index];
  let row_quad = (lane / 8u) * 2u;  // rows 4 * row_quad .. + 7 of the panel
  let column_quad = lane % 8u;      // columns 4 * column_quad .. + 3 and 32 further on
  let row_at = pair.x * params.row_length * 16u + row_quad;
  let column_at = pair.y * params.row_length * 16u + column_quad;

  var sum = Block();
  for (var s = 0u; s < params.segment_count; s++) {
    let segment = segments[s];
    if segment.w == 0u {
      sum = contract(sum, row_at, column_at, segment.x, segment.y);
    } else {
      let a = contract(Block(), row_at, column_at, segment.x, segment.y);
      let d = contract(Block(), row_at, column_at, segment.z, segment.w);
      sum.upper_left = add_product(sum.upper_left, a.upper_left, d.upper_left);
      sum.upper_right = add_product(sum.upper_right, a.upper_right, d.upper_right);
      sum.lower_left = add_product(sum.lower_left, a.lower_left, d.lower_left);
      sum.lower_right = add_product(sum.lower_right, a.lower_right, d.lower_right);
    }
  }

  let row = pair.x * 64u + row_quad * 4u;
  let column = pair.y * 64u + column_quad * 4u;
  store(row, column, sum.upper_left);
  store(row, column + 32u, sum.upper_right);
  store(row + 4u, column, sum.lower_left);
  store(row + 4u, column + 32u, sum.lower_right);
  if params.mirror == 1u && pair.x != pair.y {
    store(column, row, transpose(sum.upper_left));
    store(column + 32u, row, transpose(sum.upper_right));
    store(column, row + 4u, transpose(sum.lower_left));
    store(column + 32u, row + 4u, transpose(sum.lower_right));
  }
}
