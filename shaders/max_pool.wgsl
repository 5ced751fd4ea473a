// Max pooling over windows that do not overlap: outputs[n, y, x, c] = max over r, s < SIZE of inputs[n, y*SIZE + r, x*SIZE + s, c]; rows and
// columns at the edge that do not fill a window are left out.
//
// One invocation computes CHANNELS neighbouring channels of one window, which it reads row by row.
// Dispatch: ceil(sample_count * (in_height / SIZE) * (in_width / SIZE) * channels / CHANNELS / 64) workgroups, quotients rounded down.
// Layout: inputs [N, in_height, in_width, channels], outputs [N, in_height / SIZE, in_width / SIZE, channels].
// Needs: CHANNELS to divide channels.
// Tails: invocations beyond the last window do nothing.
// Float64 twin: engine/reference/pointwise.ts, maxPool.

import package::shared::pool::{params, SIZE, CHANNELS, read_inputs};

@group(0) @binding(2) var<storage, read_write> outputs: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((group.x + group.y * groups.x) * 64u + lane);
  let parts = params.channels / CHANNELS;
  let height = params.in_height / SIZE;
  let width = params.in_width / SIZE;
  let window = index / parts;
  let row = window / width;
  let n = row / height;
  if n >= params.sample_count { return; }
  let x = window % width;
  let channel = index % parts * CHANNELS;
  let row_size = params.in_width * params.channels;
  let corner = (n * params.in_height + row % height * SIZE) * row_size + x * SIZE * params.channels + channel;

  var largest: array<f32, CHANNELS>;
  for (var r = 0; r < SIZE; r++) {
    var values = read_inputs(corner + r * row_size);
    for (var s = 0u; s < SIZE; s++) { // unroll
      for (var c = 0u; c < CHANNELS; c++) { // unroll
        let value = values[s * CHANNELS + c];
        largest[c] = select(largest[c], value, value > largest[c] || (r == 0 && s == 0u));
      }
    }
  }
  for (var c = 0u; c < CHANNELS; c++) { // unroll
    outputs[window * params.channels + channel + i32(c)] = largest[c];
  }
}
