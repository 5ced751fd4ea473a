// Gradient of max_pool with respect to its input: a window's delta goes to its largest input, the first of several; inputs that no window covers
// get 0.
//
// One invocation computes CHANNELS neighbouring channels of one window, which it reads and writes row by row. Windows that the edge of the image
// cuts off count as windows here.
// Dispatch: ceil(sample_count * ceil(in_height / SIZE) * ceil(in_width / SIZE) * channels / CHANNELS / 64) workgroups.
// Layout: inputs and gradients [N, in_height, in_width, channels], deltas [N, in_height / SIZE, in_width / SIZE, channels]
//         (gradients of the outputs).
// Needs: CHANNELS to divide channels.
// Tails: invocations beyond the last window do nothing; for a window that is cut off they write zeros, within the image.
// Float64 twin: engine/reference/pointwise.ts, maxPoolGradient.

import package::shared::pool::{params, SIZE, CHANNELS, ROW, VECTORS, locate, read_inputs};

@group(0) @binding(2) var<storage, read> deltas: array<f32>;
@if(gradients_as_vec4) @group(0) @binding(3) var<storage, read_write> gradients: array<vec4f>;
@else @group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

// Writes the first `count` elements of a window's row; with vec4s no window is cut off on the right, so that all are written.
@if(gradients_as_vec4) fn write_gradients(first: i32, row: array<f32, ROW>, count: i32) {
  for (var v = 0u; v < VECTORS; v++) { // unroll
    let vector = vec4f(row[v * 4u], row[v * 4u + 1u], row[v * 4u + 2u], row[v * 4u + 3u]);
    gradients[(first + locate(i32(v * 4u))) / 4] = vector;
  }
}
@else fn write_gradients(first: i32, row: array<f32, ROW>, count: i32) {
  for (var k = 0u; k < ROW; k++) { // unroll
    if i32(k) < count { gradients[first + locate(i32(k))] = row[k]; }
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((group.x + group.y * groups.x) * 64u + lane);
  let parts = params.channels / CHANNELS;
  let rows = (params.in_height + SIZE - 1) / SIZE;
  let columns = (params.in_width + SIZE - 1) / SIZE;
  let window = index / parts;
  let n = window / (columns * rows);
  if n >= params.sample_count { return; }
  let y = window / columns % rows;
  let x = window % columns;
  let channel = index % parts * CHANNELS;
  let row_size = params.in_width * params.channels;
  let corner = (n * params.in_height + y * SIZE) * row_size + x * SIZE * params.channels + channel;

  var largest: array<f32, CHANNELS>;
  var largest_at: array<i32, CHANNELS>;   // index within the window
  for (var r = 0; r < SIZE; r++) {
    var values = read_inputs(corner + r * row_size);
    for (var s = 0u; s < SIZE; s++) { // unroll
      for (var c = 0u; c < CHANNELS; c++) { // unroll
        let value = values[s * CHANNELS + c];
        let is_larger = value > largest[c] || (r == 0 && s == 0u);
        largest[c] = select(largest[c], value, is_larger);
        largest_at[c] = select(largest_at[c], r * SIZE + i32(s), is_larger);
      }
    }
  }

  let height = params.in_height / SIZE;
  let width = params.in_width / SIZE;
  let is_whole = y < height && x < width;
  let delta_at = ((n * height + y) * width + x) * params.channels + channel;
  var delta: array<f32, CHANNELS>;
  for (var c = 0u; c < CHANNELS; c++) { // unroll
    delta[c] = select(0.0, deltas[delta_at + i32(c)], is_whole);
  }
  let count = (params.in_width - x * SIZE) * CHANNELS;
  for (var r = 0; r < SIZE; r++) {
    var values: array<f32, ROW>;
    for (var s = 0u; s < SIZE; s++) { // unroll
      for (var c = 0u; c < CHANNELS; c++) { // unroll
        values[s * CHANNELS + c] = select(0.0, delta[c], largest_at[c] == r * SIZE + i32(s));
      }
    }
    if y * SIZE + r < params.in_height { write_gradients(corner + r * row_size, values, count); }
  }
}
