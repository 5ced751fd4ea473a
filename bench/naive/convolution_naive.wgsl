// Convolution, naively: outputs[n, y, x, o] = sum over r, s, i of inputs[n, y*stride + r - pad, x*stride + s - pad, i] filter[r, s, i, o].
//
// One invocation computes one output with plain loops.
// Dispatch: ceil(sample_count * out_height * out_width * out_channels / 64) workgroups.
// Layout: inputs [N, in_height, in_width, in_channels], filter [kernel_height, kernel_width, in_channels, out_channels],
//         outputs [N, out_height, out_width, out_channels], zeros around the image.
// Tails: invocations beyond the last output do nothing.
// Float64 twin: engine/reference/convolution.ts, convForward.

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
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> filters: array<f32>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let o = index % params.out_channels;
  let x = (index / params.out_channels) % params.out_width;
  let y = (index / (params.out_channels * params.out_width)) % params.out_height;
  let n = index / (params.out_channels * params.out_width * params.out_height);
  if n >= params.sample_count { return; }
  var sum = 0.0;
  for (var r = 0u; r < params.kernel_height; r++) {
    for (var s = 0u; s < params.kernel_width; s++) {
      // indices before the image wrap around to large ones
      let row = y * params.stride + r - params.pad;
      let column = x * params.stride + s - params.pad;
      if row >= params.in_height || column >= params.in_width { continue; }
      let input_at = ((n * params.in_height + row) * params.in_width + column) * params.in_channels;
      let filter_at = (r * params.kernel_width + s) * params.in_channels;
      for (var i = 0u; i < params.in_channels; i++) {
        sum += inputs[input_at + i] * filters[(filter_at + i) * params.out_channels + o];
      }
    }
  }
  outputs[index] = sum;
}
