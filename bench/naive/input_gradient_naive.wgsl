// Input gradient of a convolution, naively: gradients[n, v, u, i] = sum over r, s, o of deltas[n, y, x, o] filter[r, s, i, o] where
// v = y*stride + r - pad and u = x*stride + s - pad.
//
// One invocation computes one input's gradient with plain loops.
// Dispatch: ceil(sample_count * in_height * in_width * in_channels / 64) workgroups.
// Layout: deltas [N, out_height, out_width, out_channels], filter [kernel_height, kernel_width, in_channels, out_channels],
//         gradients [N, in_height, in_width, in_channels].
// Tails: invocations beyond the last input do nothing.
// Float64 twin: engine/reference/convolution.ts, convInputGradient.

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

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let i = index % params.in_channels;
  let u = (index / params.in_channels) % params.in_width;
  let v = (index / (params.in_channels * params.in_width)) % params.in_height;
  let n = index / (params.in_channels * params.in_width * params.in_height);
  if n >= params.sample_count { return; }
  var sum = 0.0;
  for (var r = 0u; r < params.kernel_height; r++) {
    for (var s = 0u; s < params.kernel_width; s++) {
      // indices before the image wrap around to large ones
      let row = v + params.pad - r;
      let column = u + params.pad - s;
      let y = row / params.stride;
      let x = column / params.stride;
      if row % params.stride != 0u || column % params.stride != 0u { continue; }
      if y >= params.out_height || x >= params.out_width { continue; }
      let delta_at = ((n * params.out_height + y) * params.out_width + x) * params.out_channels;
      let filter_at = ((r * params.kernel_width + s) * params.in_channels + i) * params.out_channels;
      for (var o = 0u; o < params.out_channels; o++) {
        sum += deltas[delta_at + o] * filters[filter_at + o];
      }
    }
  }
  gradients[index] = sum;
}
