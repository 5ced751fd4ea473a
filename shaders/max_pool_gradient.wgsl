// Gradient of max_pool for its input: a window's delta goes to its largest input, the first of several; what no window covers gets 0.
//
// One invocation computes 8 neighbouring channels of one window, windows cut off by the edge among them.
// Dispatch: ceil(sample_count * ceil(in_height / size) * ceil(in_width / size) * ceil(channels / 8) / 64) workgroups.
// Layout: inputs and gradients [N, in_height, in_width, channels], deltas [N, in_height / size, in_width / size, channels].
// Tails: invocations beyond the last window and channels beyond the last do nothing; a window that is cut off writes zeros within the image.
// Float64 twin: tests/oracle/layers.ts, maxPoolGradient.

struct Params {
  sample_count: u32,
  in_height: u32,
  in_width: u32,
  channels: u32,
  size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> deltas: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

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
  let size = params.size;
  let octets = (params.channels + 7u) / 8u;
  let rows = (params.in_height + size - 1u) / size;
  let columns = (params.in_width + size - 1u) / size;
  let window = index / octets;
  let row = window / columns;
  let n = row / rows;
  if n >= params.sample_count { return; }
  let y = row - n * rows;
  let x = window - row * columns;
  let first_channel = (index - window * octets) * 8u;

  let height = params.in_height / size;
  let width = params.in_width / size;
  let is_whole = y < height && x < width;
  let row_size = params.in_width * params.channels;
  let corner = (n * params.in_height + y * size) * row_size + x * size * params.channels;
  let delta_at = ((n * height + y) * width + x) * params.channels;
  for (var c = first_channel; c < min(first_channel + 8u, params.channels); c++) {
    var largest = read_input(corner + c);
    var place = 0u;
    for (var r = 0u; r < size; r++) {
      for (var s = 0u; s < size; s++) {
        let value = read_input(corner + r * row_size + s * params.channels + c);
        let is_larger = value > largest;
        largest = select(largest, value, is_larger);
        place = select(place, r * size + s, is_larger);
      }
    }
    let at = delta_at + c;
    let delta = deltas[at];
    for (var r = 0u; r < min(size, params.in_height - y * size); r++) {
      for (var s = 0u; s < min(size, params.in_width - x * size); s++) {
        let is_place = is_whole && r * size + s == place;
        gradients[corner + r * row_size + s * params.channels + c] = select(0.0, delta, is_place);
      }
    }
  }
}
