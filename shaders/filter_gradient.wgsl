// Filter gradient of a convolution, summed over the output positions p of a group of samples: sum_p a_p (x) d_p, the bias as one more
// input that is always 1. With one sample a group this is the plain segment of a packed row (signed projection, equation 3, second
// line); with several it is a split of the gradient of a training step.
//
// One invocation computes 8 filter taps x 8 output channels of one group of samples; a tap is one (row, column, input channel).
// A launch may compute a part of the numbers only, as where a row is cut into slices: those from `first` on and before `end`.
// Dispatch: ceil(group_count * ceil(taps / 8) * ceil(out_channels / 8) / 64) workgroups, for the taps that have such numbers.
// Layout: inputs [N, in_height, in_width, in_channels], deltas [N, out_height, out_width, out_channels].
//         Number k = tap * out_channels + channel of group g is written to
//         ((g + first_group) / 64) * panel_stride + ((g + first_group) % 64) * group_stride + (offset + k) * number_stride.
// Tails: taps and channels beyond the ends are computed from clamped places and not stored; positions beyond them add zeros.
// Float64 twin: tests/oracle/layers.ts, projectPlain and convFilterGradient.

struct Params {
  sample_count: i32,
  group_count: i32,
  group_samples: i32,
  first_group: i32,
  in_height: i32,
  in_width: i32,
  in_channels: i32,
  out_height: i32,
  out_width: i32,
  out_channels: i32,
  kernel_width: i32,
  tap_count: i32,      // kernel_height * kernel_width * in_channels; the bias's is one more, of ones
  first: i32,          // number of the gradient
  end: i32,
  stride: i32,
  pad: i32,
  panel_stride: i32,
  group_stride: i32,
  number_stride: i32,
  offset: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> deltas: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

// A row that no image has.
const BEYOND = 1 << 30;

// Four taps: where they are in an image against the output position's own place in it, and their rows and columns.
struct Taps {
  at: vec4i,
  row: vec4i,
  column: vec4i,
  is_bias: vec4<bool>,
}

fn locate_taps(first: i32) -> Taps {
  let tap = vec4i(first) + vec4i(0, 1, 2, 3);
  let t = min(tap, vec4i(params.tap_count - 1));
  let position = t / params.in_channels;
  let row = position / params.kernel_width - params.pad;
  let column = position % params.kernel_width - params.pad;
  let at = (row * params.in_width + column) * params.in_channels + t % params.in_channels;
  return Taps(at, row, column, tap >= vec4i(params.tap_count));
}

fn read_input(at: i32) -> f32 {
  return inputs[at];
}

// What four taps see from row y, column x of an image; the bias's input is 1 wherever the image ends.
fn read_inputs(taps: Taps, n: i32, y: i32, x: i32) -> vec4f {
  let at = taps.at + ((n * params.in_height + y) * params.in_width + x) * params.in_channels;
  let inside = vec4u(taps.row + y) < vec4u(u32(params.in_height))
    & vec4u(taps.column + x) < vec4u(u32(params.in_width));
  let read = vec4f(read_input(at.x), read_input(at.y), read_input(at.z), read_input(at.w));
  return select(select(vec4f(), read, inside), vec4f(1.0), taps.is_bias);
}

fn read_delta(at: i32) -> f32 {
  return deltas[at];
}

fn read_deltas(at: vec4i) -> vec4f {
  return vec4f(read_delta(at.x), read_delta(at.y), read_delta(at.z), read_delta(at.w));
}

// Adds a (x) d: four taps by four channels.
fn accumulate(sums: mat4x4f, a: vec4f, d: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(a.x), d, sums[0]),
    fma(vec4f(a.y), d, sums[1]),
    fma(vec4f(a.z), d, sums[2]),
    fma(vec4f(a.w), d, sums[3]),
  );
}

fn put(at: i32, k: i32, value: f32) {
  if k >= params.first && k < params.end { gradients[at + k * params.number_stride] = value; }
}

fn store(group: i32, tap: i32, channel: i32, low: vec4f, high: vec4f) {
  let g = group + params.first_group;
  let at = (g / 64) * params.panel_stride + (g % 64) * params.group_stride + params.offset * params.number_stride;
  let k = tap * params.out_channels + channel;
  let count = params.out_channels - channel;
  put(at, k, low.x);
  if count > 1 { put(at, k + 1, low.y); }
  if count > 2 { put(at, k + 2, low.z); }
  if count > 3 { put(at, k + 3, low.w); }
  if count > 4 { put(at, k + 4, high.x); }
  if count > 5 { put(at, k + 5, high.y); }
  if count > 6 { put(at, k + 6, high.z); }
  if count > 7 { put(at, k + 7, high.w); }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((workgroup.x + workgroup.y * workgroups.x) * 64u + lane);
  let channel_octets = (params.out_channels + 7) / 8;
  let first_tap = params.first / params.out_channels;
  let end_tap = (params.end + params.out_channels - 1) / params.out_channels;
  let tap_octets = (end_tap - first_tap + 7) / 8;
  let group = index / (channel_octets * tap_octets);
  if group >= params.group_count { return; }
  let tap = first_tap + ((index / channel_octets) % tap_octets) * 8;
  let channel = (index % channel_octets) * 8;

  let taps0 = locate_taps(tap);
  let taps1 = locate_taps(tap + 4);
  let last = vec4i(params.out_channels - 1);
  let channels0 = min(vec4i(channel) + vec4i(0, 1, 2, 3), last);
  let channels1 = min(vec4i(channel) + vec4i(4, 5, 6, 7), last);

  // taps 0 to 3 and 4 to 7 by channels 0 to 3 (low) and 4 to 7 (high)
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  let first = group * params.group_samples;
  var n = first;
  var y = 0;
  var x = 0;
  // one loop over samples, rows and columns, 4 positions at a time: a CPU driver copies all sums in every step and whenever a loop begins
  let area = params.out_height * params.out_width;
  let end = min(first + params.group_samples, params.sample_count) * area;
  for (var p = first * area; p < end; p += 4) {
    for (var j = 0u; j < 4u; j++) { // unroll
      let is_position = p + i32(j) < end;
      let at = (p + i32(j)) * params.out_channels;
      let low = select(vec4f(), read_deltas(channels0 + at), is_position);
      let high = select(vec4f(), read_deltas(channels1 + at), is_position);
      let row = select(BEYOND, y * params.stride, is_position);
      let a0 = read_inputs(taps0, n, row, x * params.stride);
      let a1 = read_inputs(taps1, n, row, x * params.stride);
      low0 = accumulate(low0, a0, low);
      low1 = accumulate(low1, a1, low);
      high0 = accumulate(high0, a0, high);
      high1 = accumulate(high1, a1, high);
      x += 1;
      let ends_row = x == params.out_width;
      x = select(x, 0, ends_row);
      y += select(0, 1, ends_row);
      let ends_image = y == params.out_height;
      y = select(y, 0, ends_image);
      n += select(0, 1, ends_image);
    }
  }
  store(group, tap, channel, low0[0], high0[0]);
  store(group, tap + 1, channel, low0[1], high0[1]);
  store(group, tap + 2, channel, low0[2], high0[2]);
  store(group, tap + 3, channel, low0[3], high0[3]);
  store(group, tap + 4, channel, low1[0], high1[0]);
  store(group, tap + 5, channel, low1[1], high1[1]);
  store(group, tap + 6, channel, low1[2], high1[2]);
  store(group, tap + 7, channel, low1[3], high1[3]);
}
