// Convolution: outputs[n, y, x, o] = bias[o] + sum over r, s, i of inputs[n, y*stride + r - pad, x*stride + s - pad, i] filter[r, s, i, o].
//
// One invocation computes 4 neighbouring columns x 8 output channels.
// Dispatch: ceil(sample_count * out_height * ceil(out_width / 4) * ceil(out_channels / 8) / 64) workgroups.
// Layout: inputs [N, in_height, in_width, in_channels], filter [kernel_height, kernel_width, in_channels, out_channels],
//         outputs [N, out_height, out_width, out_channels], zeros around the image.
// Tails: columns and channels beyond the end are computed from clamped places and not stored.
// Float64 twin: tests/oracle/layers.ts, convForward.

struct Params {
  sample_count: u32,
  in_height: u32,
  in_width: u32,
  in_channels: u32,
  out_height: u32,
  out_width: u32,
  out_channels: u32,
  kernel_height: u32,
  kernel_width: u32,
  stride: u32,
  pad: u32,
  has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> filters: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;  // any buffer where has_bias is 0
@group(0) @binding(4) var<storage, read_write> outputs: array<f32>;

fn store(pixel: u32, column: u32, channel: u32, low: vec4f, high: vec4f) {
  if column >= params.out_width { return; }
  let at = (pixel + column) * params.out_channels + channel;
  for (var c = 0u; c < min(4u, params.out_channels - channel); c++) {
    outputs[at + c] = low[c];
  }
  if channel + 4u < params.out_channels {
    for (var c = 0u; c < min(4u, params.out_channels - channel - 4u); c++) {
      outputs[at + 4u + c] = high[c];
    }
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let column_quads = (params.out_width + 3u) / 4u;
  let channel_octets = (params.out_channels + 7u) / 8u;
  // neighbouring invocations differ in column, then row: they read the same filter
  let x = (index % column_quads) * 4u;
  let y = (index / column_quads) % params.out_height;
  let octet = (index / (column_quads * params.out_height)) % channel_octets;
  let n = index / (column_quads * params.out_height * channel_octets);
  if n >= params.sample_count { return; }

  let channel = octet * 8u;
  let last = vec4u(params.out_channels - 1u);
  let c0 = min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), last);
  let c1 = min(vec4u(channel) + vec4u(4u, 5u, 6u, 7u), last);
  var low = vec4f();
  var high = vec4f();
  if params.has_bias == 1u {
    low = vec4f(bias[c0.x], bias[c0.y], bias[c0.z], bias[c0.w]);
    high = vec4f(bias[c1.x], bias[c1.y], bias[c1.z], bias[c1.w]);
  }
  var low0 = low;
  var low1 = low;
  var low2 = low;
  var low3 = low;
  var high0 = high;
  var high1 = high;
  var high2 = high;
  var high3 = high;

  let columns = vec4i(vec4u(x) + vec4u(0u, 1u, 2u, 3u)) * i32(params.stride) - i32(params.pad);
  let width = i32(params.in_width);
  for (var r = 0u; r < params.kernel_height; r++) {
    let row = i32(y * params.stride + r) - i32(params.pad);
    if row < 0 || row >= i32(params.in_height) { continue; }
    let row_at = (n * params.in_height + u32(row)) * params.in_width;
    for (var s = 0u; s < params.kernel_width; s++) {
      let column = columns + i32(s);
      let inside = column >= vec4i(0) & column < vec4i(width);
      let at = (vec4u(clamp(column, vec4i(0), vec4i(width - 1))) + row_at) * params.in_channels;
      let filter_at = (r * params.kernel_width + s) * params.in_channels * params.out_channels;
      for (var i = 0u; i < params.in_channels; i++) {
        let read = vec4f(inputs[at.x + i], inputs[at.y + i], inputs[at.z + i], inputs[at.w + i]);
        let v = select(vec4f(), read, inside);
        let w = filter_at + i * params.out_channels;
        let w0 = vec4f(filters[w + c0.x], filters[w + c0.y], filters[w + c0.z], filters[w + c0.w]);
        let w1 = vec4f(filters[w + c1.x], filters[w + c1.y], filters[w + c1.z], filters[w + c1.w]);
        low0 = fma(vec4f(v.x), w0, low0);
        low1 = fma(vec4f(v.y), w0, low1);
        low2 = fma(vec4f(v.z), w0, low2);
        low3 = fma(vec4f(v.w), w0, low3);
        high0 = fma(vec4f(v.x), w1, high0);
        high1 = fma(vec4f(v.y), w1, high1);
        high2 = fma(vec4f(v.z), w1, high2);
        high3 = fma(vec4f(v.w), w1, high3);
      }
    }
  }
  let pixel = (n * params.out_height + y) * params.out_width;
  store(pixel, x, channel, low0, high0);
  store(pixel, x + 1u, channel, low1, high1);
  store(pixel, x + 2u, channel, low2, high2);
  store(pixel, x + 3u, channel, low3, high3);
}
