// Max pooling over windows that do not overlap: outputs[n, y, x, c] = max over r, s < size of inputs[n, y*size + r, x*size + s, c]; rows and
// columns that fill no window are left out.
//
// One invocation computes 8 neighbouring channels of one window.
// Dispatch: ceil(sample_count * (in_height / size) * (in_width / size) * ceil(channels / 8) / 64) workgroups, quotients rounded down.
// Layout: inputs [N, in_height, in_width, channels], outputs [N, in_height / size, in_width / size, channels].
// Tails: invocations beyond the last window do nothing; channels beyond the last are computed from the last and not stored.
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

fn read_inputs(at: vec4u) -> vec4f {
  return vec4f(read_input(at.x), read_input(at.y), read_input(at.z), read_input(at.w));
}

// Stores as many of eight channels as there are.
fn store(at: u32, count: u32, low: vec4f, high: vec4f) {
  outputs[at] = low.x;
  if count > 1u { outputs[at + 1u] = low.y; }
  if count > 2u { outputs[at + 2u] = low.z; }
  if count > 3u { outputs[at + 3u] = low.w; }
  if count > 4u { outputs[at + 4u] = high.x; }
  if count > 5u { outputs[at + 5u] = high.y; }
  if count > 6u { outputs[at + 6u] = high.z; }
  if count > 7u { outputs[at + 7u] = high.w; }
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
  let last = vec4u(params.channels - 1u);
  let channels0 = min(first_channel + vec4u(0u, 1u, 2u, 3u), last);
  let channels1 = min(first_channel + vec4u(4u, 5u, 6u, 7u), last);
  var largest0 = read_inputs(corner + channels0);
  var largest1 = read_inputs(corner + channels1);
  // one loop over the window's rows and columns: a CPU driver takes long to begin one
  var at = corner;
  var s = 0u;
  for (var place = 1u; place < params.size * params.size; place++) {
    s += 1u;
    let ends_row = s == params.size;
    s = select(s, 0u, ends_row);
    at += select(params.channels, row_size - (params.size - 1u) * params.channels, ends_row);
    let values0 = read_inputs(at + channels0);
    let values1 = read_inputs(at + channels1);
    largest0 = select(largest0, values0, values0 > largest0);
    largest1 = select(largest1, values1, values1 > largest1);
  }
  store(window * params.channels + first_channel, params.channels - first_channel, largest0, largest1);
}
