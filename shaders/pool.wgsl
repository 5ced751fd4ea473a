// Pooling over windows of any size, stride and padding: outputs[n, y, x, c] is the maximum or the mean of inputs[n, r, s, c] over the window's
// rows r and columns s within the image. A mean's divisor counts what KIND says.
//
// One invocation computes one output.
// Dispatch: ceil(sample_count * out_height * out_width * channels / 64) workgroups.
// Layout: inputs [N, in_height, in_width, channels], outputs [N, out_height, out_width, channels].
// Needs: every window to have a pixel.
// Tails: invocations beyond the last output do nothing.
// Float64 twin: engine/reference/pooling.ts, poolForward.

import package::shared::windows::{params, KIND, MAXIMUM, find_rows, find_columns};

@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read_write> outputs: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((group.x + group.y * groups.x) * 64u + lane);
  let channel = index % params.channels;
  let window = index / params.channels;
  let image = window / params.out_width / params.out_height;
  if image >= params.sample_count { return; }
  let rows = find_rows(window / params.out_width % params.out_height);
  let columns = find_columns(window % params.out_width);

  var total = 0.0;
  for (var r = rows.first; r < rows.end; r++) {
    var part = 0.0;
    for (var s = columns.first; s < columns.end; s++) {
      let value = inputs[((image * params.in_height + r) * params.in_width + s) * params.channels + channel];
      if KIND == MAXIMUM {
        if value > total || (r == rows.first && s == columns.first) { total = value; }
      } else {
        part += value;
      }
    }
    total += part;
  }
  if KIND == MAXIMUM {
    outputs[index] = total;
  } else {
    outputs[index] = total / f32(rows.counted * columns.counted);
  }
}
