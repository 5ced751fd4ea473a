// Input gradient of a convolution: gradients[n, v, u, i] = sum over r, s, o of deltas[n, y, x, o] filter[r, s, i, o] where
// v = y*stride + r - pad and u = x*stride + s - pad.
//
// One invocation computes 4 neighbouring columns x 4 input channels.
// Dispatch: ceil(sample_count * in_height * ceil(in_width / 4) * ceil(in_channels / 4) / 64) workgroups.
// Layout: deltas [N, out_height, out_width, out_channels], filter [kernel_height, kernel_width, in_channels, out_channels],
//         gradients [N, in_height, in_width, in_channels].
// Tails: columns and channels beyond the end are computed from clamped places and not stored.
// Float64 twin: tests/oracle/layers.ts, convInputGradient.

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> deltas: array<f32>;
@group(0) @binding(2) var<storage, read> filters: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

fn store(pixel: u32, column: u32, channel: u32, sums: vec4f) {
  if column >= params.in_width { return; }
  let at = (pixel + column) * params.in_channels + channel;
  for (var c = 0u; c < min(4u, params.in_channels - channel); c++) {
    gradients[at + c] = sums[c];
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let column_quads = (params.in_width + 3u) / 4u;
  let channel_quads = (params.in_channels + 3u) / 4u;
  let u = (index % column_quads) * 4u;
  let v = (index / column_quads) % params.in_height;
  let quad = (index / (column_quads * params.in_height)) % channel_quads;
  let n = index / (column_quads * params.in_height * channel_quads);
  if n >= params.sample_count { return; }

  let channel = quad * 4u;
  let c = min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), vec4u(params.in_channels - 1u)) * params.out_channels;
  let columns = vec4i(vec4u(u) + vec4u(0u, 1u, 2u, 3u)) + i32(params.pad);
  let stride = i32(params.stride);
  let width = i32(params.out_width);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var r = 0u; r < params.kernel_height; r++) {
    let row = i32(v + params.pad) - i32(r);
    let y = row / stride;
    if row < 0 || y * stride != row || y >= i32(params.out_height) { continue; }
    let row_at = (n * params.out_height + u32(y)) * params.out_width;
    for (var s = 0u; s < params.kernel_width; s++) {
      let column = columns - i32(s);
      let x = column / stride;
      let inside = column >= vec4i(0) & x * stride == column & x < vec4i(width);
      let at = (vec4u(clamp(x, vec4i(0), vec4i(width - 1))) + row_at) * params.out_channels;
      let filter_at = (r * params.kernel_width + s) * params.in_channels * params.out_channels;
      for (var o = 0u; o < params.out_channels; o++) {
        let read = vec4f(deltas[at.x + o], deltas[at.y + o], deltas[at.z + o], deltas[at.w + o]);
        let d = select(vec4f(), read, inside);
        let w = filter_at + o;
        let f = vec4f(filters[w + c.x], filters[w + c.y], filters[w + c.z], filters[w + c.w]);
        sum0 = fma(vec4f(d.x), f, sum0);
        sum1 = fma(vec4f(d.y), f, sum1);
        sum2 = fma(vec4f(d.z), f, sum2);
        sum3 = fma(vec4f(d.w), f, sum3);
      }
    }
  }
  let pixel = (n * params.in_height + v) * params.in_width;
  store(pixel, u, channel, sum0);
  store(pixel, u + 1u, channel, sum1);
  store(pixel, u + 2u, channel, sum2);
  store(pixel, u + 3u, channel, sum3);
}
