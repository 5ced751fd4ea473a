// Filter gradient of a convolution, naively, summed over the output positions p of a group of samples: sum_p a_p (x) d_p, the bias as one
// more input that is always 1.
//
// One invocation computes one element of one group's gradient with plain loops.
// Dispatch: ceil(sample_count / group_samples * (taps + 1) * out_channels / 64) workgroups.
// Layout: inputs [N, in_height, in_width, in_channels], deltas [N, out_height, out_width, out_channels],
//         gradients [sample_count / group_samples, taps + 1, out_channels], taps in the order [kernel_height, kernel_width, in_channels].
// Tails: invocations beyond the last element do nothing; group_samples divides sample_count.
// Float64 twin: engine/reference/convolution.ts, projectPlain and convFilterGradient.

struct Params {
  sample_count: u32,
  group_samples: u32,
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
@group(0) @binding(2) var<storage, read> deltas: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  let taps = params.kernel_height * params.kernel_width * params.in_channels;
  let o = index % params.out_channels;
  let tap = (index / params.out_channels) % (taps + 1u);
  let first = index / (params.out_channels * (taps + 1u)) * params.group_samples;
  if first >= params.sample_count { return; }
  let i = tap % params.in_channels;
  let s = tap / params.in_channels % params.kernel_width;
  let r = tap / (params.in_channels * params.kernel_width);
  var sum = 0.0;
  for (var n = first; n < first + params.group_samples; n++) {
    for (var y = 0u; y < params.out_height; y++) {
      for (var x = 0u; x < params.out_width; x++) {
        let delta = deltas[((n * params.out_height + y) * params.out_width + x) * params.out_channels + o];
        if tap == taps {
          sum += delta;
          continue;
        }
        // indices before the image wrap around to large ones
        let row = y * params.stride + r - params.pad;
        let column = x * params.stride + s - params.pad;
        if row >= params.in_height || column >= params.in_width { continue; }
        sum += inputs[((n * params.in_height + row) * params.in_width + column) * params.in_channels + i] * delta;
      }
    }
  }
  gradients[index] = sum;
}
