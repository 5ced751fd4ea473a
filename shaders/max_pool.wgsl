// Max pooling over windows that do not overlap: outputs[n, y, x, c] = max over r, s < size of inputs[n, y*size + r, x*size + s, c]; rows and
// columns that fill no window are left out.
//
// One invocation computes 8 neighbouring channels of one window.
// Dispatch: ceil(sample_count * (in_height / size) * (in_width / size) * ceil(channels / 8) / 64) workgroups, quotients rounded down.
// Layout: inputs [N, in_height, in_width, channels], outputs [N, in_height / size, in_width / size, channels].
// Tails: invocations beyond the last window and channels beyond the last do nothing.
// Float64 twin: tests/oracle/layers.ts, maxPool.

struct Params {
  sample_count: u32,
  in_height: u32,
  in_width: u32,
  channels: u32,
  size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read_write> outputs: array<f32>;

fn read_input(at: u32) -> f32 {
  return inputs[at];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let octets = (params.channels + 7u) / 8u;
  let height = params.in_height / params.size;
  let width = params.in_width / params.size;
  let window = index / octets;
  let row = window / width;
  let n = row / height;
  if n >= params.sample_count { return; }
  let x = window - row * width;
  let first_channel = (index - window * octets) * 8u;

  let row_size = params.in_width * params.channels;
  let corner = (n * params.in_height + (row - n * height) * params.size) * row_size
    + x * params.size * params.channels;
  for (var c = first_channel; c < min(first_channel + 8u, params.channels); c++) {
    var largest = read_input(corner + c);
    for (var r = 0u; r < params.size; r++) {
      for (var s = 0u; s < params.size; s++) {
        let value = read_input(corner + r * row_size + s * params.channels + c);
        largest = select(largest, value, value > largest);
      }
    }
    outputs[window * params.channels + c] = largest;
  }
}
