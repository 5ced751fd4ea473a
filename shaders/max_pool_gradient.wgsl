// Gradient of max_pool for its input: a window's delta goes to its largest input, the first of several; what no window covers gets 0.
//
// One invocation computes 8 neighbouring channels of one window, windows cut off by the edge among them.
// Dispatch: ceil(sample_count * ceil(in_height / size) * ceil(in_width / size) * ceil(channels / 8) / 64) workgroups.
// Layout: inputs and gradients [N, in_height, in_width, channels], deltas [N, in_height / size, in_width / size, channels].
// Tails: invocations beyond the last window do nothing; channels beyond the last are computed from the last and not stored; a window that
//        is cut off writes zeros within the image.
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

fn read_inputs(at: vec4u) -> vec4f {
  return vec4f(read_input(at.x), read_input(at.y), read_input(at.z), read_input(at.w));
}

fn read_delta(at: u32) -> f32 {
  return deltas[at];
}

fn read_deltas(at: vec4u) -> vec4f {
  return vec4f(read_delta(at.x), read_delta(at.y), read_delta(at.z), read_delta(at.w));
}

// Stores as many of eight channels as there are.
fn store(at: u32, count: u32, low: vec4f, high: vec4f) {
  gradients[at] = low.x;
  if count > 1u { gradients[at + 1u] = low.y; }
  if count > 2u { gradients[at + 2u] = low.z; }
  if count > 3u { gradients[at + 3u] = low.w; }
  if count > 4u { gradients[at + 4u] = high.x; }
  if count > 5u { gradients[at + 5u] = high.y; }
  if count > 6u { gradients[at + 6u] = high.z; }
  if count > 7u { gradients[at + 7u] = high.w; }
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
  let last = vec4u(params.channels - 1u);
  let channels0 = min(first_channel + vec4u(0u, 1u, 2u, 3u), last);
  let channels1 = min(first_channel + vec4u(4u, 5u, 6u, 7u), last);
  let next_row = row_size - (size - 1u) * params.channels;
  // one loop over the window's rows and columns: a CPU driver takes long to begin one
  var largest0 = read_inputs(corner + channels0);
  var largest1 = read_inputs(corner + channels1);
  var place0 = vec4u();
  var place1 = vec4u();
  var at = corner;
  var s = 0u;
  for (var place = 1u; place < size * size; place++) {
    s += 1u;
    let ends_row = s == size;
    s = select(s, 0u, ends_row);
    at += select(params.channels, next_row, ends_row);
    let values0 = read_inputs(at + channels0);
    let values1 = read_inputs(at + channels1);
    let is_larger0 = values0 > largest0;
    let is_larger1 = values1 > largest1;
    largest0 = select(largest0, values0, is_larger0);
    largest1 = select(largest1, values1, is_larger1);
    place0 = select(place0, vec4u(place), is_larger0);
    place1 = select(place1, vec4u(place), is_larger1);
  }
  let delta0 = select(vec4f(), read_deltas(delta_at + channels0), is_whole);
  let delta1 = select(vec4f(), read_deltas(delta_at + channels1), is_whole);
  at = corner + first_channel;
  s = 0u;
  var r = 0u;
  for (var place = 0u; place < size * size; place++) {
    if y * size + r < params.in_height && x * size + s < params.in_width {
      let low = select(vec4f(), delta0, place0 == vec4u(place));
      let high = select(vec4f(), delta1, place1 == vec4u(place));
      store(at, params.channels - first_channel, low, high);
    }
    s += 1u;
    let ends_row = s == size;
    s = select(s, 0u, ends_row);
    r += select(0u, 1u, ends_row);
    at += select(params.channels, next_row, ends_row);
  }
}
