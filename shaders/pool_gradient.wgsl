// Gradient of pool with respect to its input: the sum over the windows that a pixel is in. A maximum's delta goes to the window's first pixel
// that equals it; a mean's is divided as the mean is.
//
// One invocation computes the gradient of one pixel in one channel.
// Dispatch: ceil(sample_count * in_height * in_width * channels / 64) workgroups.
// Layout: inputs and gradients [N, in_height, in_width, channels], outputs and deltas [N, out_height, out_width, channels]. A mean reads
//         deltas alone.
// Tails: invocations beyond the last pixel do nothing.
// Float64 twin: engine/reference/pooling.ts, poolGradient.

import package::shared::windows::{params, KIND, MAXIMUM, ADAPTIVE, Extent, find_rows, find_columns};

@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> outputs: array<f32>;
@group(0) @binding(3) var<storage, read> deltas: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;

// Windows that row or column `at` may be in: the first, and the one after the last.
fn find_windows(at: i32, inputs: i32, outputs: i32, size: i32, stride: i32, before: i32) -> vec2i {
  if KIND == ADAPTIVE {
    return vec2i(at * outputs / inputs, min(outputs, ((at + 1) * outputs + inputs - 1) / inputs));
  }
  let first = max(0, (at + before - size + stride) / stride);
  return vec2i(first, min(outputs, (at + before) / stride + 1));
}

// Whether a pixel before row `row` and column `column` of a window equals its maximum too.
fn has_earlier(value: f32, start: i32, rows: Extent, columns: Extent, row: i32, column: i32) -> bool {
  for (var r = rows.first; r <= row; r++) {
    let end = select(columns.end, column, r == row);
    for (var s = columns.first; s < end; s++) {
      if inputs[start + (r * params.in_width + s) * params.channels] == value { return true; }
    }
  }
  return false;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((group.x + group.y * groups.x) * 64u + lane);
  let channel = index % params.channels;
  let pixel = index / params.channels;
  let column = pixel % params.in_width;
  let row = pixel / params.in_width % params.in_height;
  let image = pixel / params.in_width / params.in_height;
  if image >= params.sample_count { return; }
  let across = find_windows(column, params.in_width, params.out_width, params.size_x, params.stride_x, params.pad_left);
  let down = find_windows(row, params.in_height, params.out_height, params.size_y, params.stride_y, params.pad_top);
  let start = image * params.in_height * params.in_width * params.channels + channel;

  var total = 0.0;
  for (var y = down.x; y < down.y; y++) {
    let rows = find_rows(y);
    for (var x = across.x; x < across.y; x++) {
      let columns = find_columns(x);
      let window = ((image * params.out_height + y) * params.out_width + x) * params.channels + channel;
      if KIND == MAXIMUM {
        let value = inputs[index];
        if value == outputs[window] && !has_earlier(value, start, rows, columns, row, column) { total += deltas[window]; }
      } else {
        total += deltas[window] / f32(rows.counted * columns.counted);
      }
    }
  }
  gradients[index] = total;
}
