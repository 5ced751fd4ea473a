// Filter gradient of a convolution, summed over the output positions p of a group of samples: sum_p a_p (x) d_p, the bias as one more
// input that is always 1. With one sample a group this is the plain segment of a packed row (signed projection, equation 3, second
// line); with several it is a split of the gradient of a training step.
//
// One invocation computes 4 filter taps x 4 output channels of one group of samples; a tap is one (row, column, input channel).
// Dispatch: ceil(group_count * ceil(tap_count / 4) * ceil(out_channels / 4) / 64) workgroups.
// Layout: inputs [N, in_height, in_width, in_channels], deltas [N, out_height, out_width, out_channels].
//         Number k = tap * out_channels + channel of group g is written to
//         ((g + first_group) / 64) * panel_stride + ((g + first_group) % 64) * group_stride + (offset + k) * number_stride.
// Tails: taps and channels beyond the end are computed from clamped places and not stored.
// Float64 twin: tests/oracle/layers.ts, projectPlain and convFilterGradient.

struct Params {
  sample_count: u32,
  group_count: u32,
  group_samples: u32,
  first_group: u32,
  in_height: u32,
  in_width: u32,
  in_channels: u32,
  out_height: u32,
  out_width: u32,
  out_channels: u32,
  kernel_width: u32,
  tap_count: u32,      // kernel_height * kernel_width * in_channels
  bias: u32,           // 1: one more tap, of ones
  stride: u32,
  pad: u32,
  panel_stride: u32,
  group_stride: u32,
  number_stride: u32,
  offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> deltas: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

// Where a tap reads: offsets of row and column against the output position, and the channel.
fn locate_tap(tap: u32) -> vec3i {
  let t = min(tap, params.tap_count - 1u);
  let position = t / params.in_channels;
  return vec3i(
    i32(position / params.kernel_width) - i32(params.pad),
    i32(position % params.kernel_width) - i32(params.pad),
    i32(t % params.in_channels),
  );
}

fn read_input(image_at: i32, row: i32, column: i32, tap: vec3i) -> f32 {
  let y = row + tap.x;
  let x = column + tap.y;
  let height = i32(params.in_height);
  let width = i32(params.in_width);
  let inside = y >= 0 && y < height && x >= 0 && x < width;
  let at = (clamp(y, 0, height - 1) * width + clamp(x, 0, width - 1)) * i32(params.in_channels) + tap.z;
  return select(0.0, inputs[image_at + at], inside);
}

fn store(group: u32, tap: u32, channel: u32, sums: vec4f) {
  if tap >= params.tap_count + params.bias { return; }
  let g = group + params.first_group;
  let at = (g / 64u) * params.panel_stride + (g % 64u) * params.group_stride
    + (params.offset + tap * params.out_channels + channel) * params.number_stride;
  for (var c = 0u; c < min(4u, params.out_channels - channel); c++) {
    gradients[at + c * params.number_stride] = sums[c];
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  let channel_quads = (params.out_channels + 3u) / 4u;
  let tap_quads = (params.tap_count + params.bias + 3u) / 4u;
  let group = index / (channel_quads * tap_quads);
  if group >= params.group_count { return; }
  let tap = ((index / channel_quads) % tap_quads) * 4u;
  let channel = (index % channel_quads) * 4u;

  let tap0 = locate_tap(tap);
  let tap1 = locate_tap(tap + 1u);
  let tap2 = locate_tap(tap + 2u);
  let tap3 = locate_tap(tap + 3u);
  // the bias's input is 1 wherever the image ends: taps beyond the filter replace what they read
  let is_bias = vec4u(tap, tap + 1u, tap + 2u, tap + 3u) >= vec4u(params.tap_count);
  let last = params.out_channels - 1u;
  let c = min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), vec4u(last));
  let image_size = i32(params.in_height * params.in_width * params.in_channels);

  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  let first = group * params.group_samples;
  for (var n = first; n < min(first + params.group_samples, params.sample_count); n++) {
    let image_at = i32(n) * image_size;
    for (var y = 0u; y < params.out_height; y++) {
      for (var x = 0u; x < params.out_width; x++) {
        let at = ((n * params.out_height + y) * params.out_width + x) * params.out_channels;
        let d = vec4f(deltas[at + c.x], deltas[at + c.y], deltas[at + c.z], deltas[at + c.w]);
        let row = i32(y * params.stride);
        let column = i32(x * params.stride);
        let read = vec4f(
          read_input(image_at, row, column, tap0),
          read_input(image_at, row, column, tap1),
          read_input(image_at, row, column, tap2),
          read_input(image_at, row, column, tap3),
        );
        let a = select(read, vec4f(1.0), is_bias);
        sum0 = fma(vec4f(a.x), d, sum0);
        sum1 = fma(vec4f(a.y), d, sum1);
        sum2 = fma(vec4f(a.z), d, sum2);
        sum3 = fma(vec4f(a.w), d, sum3);
      }
    }
  }
  store(group, tap, channel, sum0);
  store(group, tap + 1u, channel, sum1);
  store(group, tap + 2u, channel, sum2);
  store(group, tap + 3u, channel, sum3);
}
