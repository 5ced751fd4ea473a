// Factored segment of a convolution, its first factor (im2col): the patch of the input that the filter sees at each output position of each
// sample, copied into k-major panels of one row for each position. The second factor, the output gradients, is copied by project_factored.
// Equation 3 of the paper, second line: the product of two samples is sum_pq (a_p . a'_q) (d_p . d'_q), so that a (x) d itself is never formed.
//
// One invocation copies one element of one position: element k is one (filter row, filter column, input channel), and where the layer has a
// bias, a 1 follows the last.
// Dispatch: ceil(sample_count * out_height * out_width * (tap_count + bias) / 64) workgroups.
// Layout: inputs [N, in_height, in_width, in_channels]; element k of position p of sample n is written to
//         ((row / 64) * row_length + offset + k) * 64 + row % 64, row = (first_sample + n) * out_height * out_width + p.
// Tails: invocations beyond the last element do nothing; the filter sees zeros beyond the image.
// Float64 twin: engine/reference/convolution.ts, projectPatches.

struct Params {
  sample_count: i32,
  first_sample: i32,
  in_height: i32,
  in_width: i32,
  in_channels: i32,
  out_height: i32,
  out_width: i32,
  out_channels: i32,
  kernel_width: i32,
  tap_count: i32,      // kernel_height * kernel_width * in_channels
  bias: i32,           // 1: append a 1
  pad_top: i32,
  pad_left: i32,
  stride_y: i32,
  stride_x: i32,
  dilation_y: i32,
  dilation_x: i32,
  row_length: i32,
  offset: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((group.x + group.y * groups.x) * 64u + lane);
  let area = params.out_height * params.out_width;
  let positions = params.sample_count * area;
  let k = index / positions;
  if k >= params.tap_count + params.bias { return; }
  let position = index % positions;
  let n = position / area;
  let p = position % area;
  let tap = k / params.in_channels;
  let y = (p / params.out_width) * params.stride_y + tap / params.kernel_width * params.dilation_y - params.pad_top;
  let x = (p % params.out_width) * params.stride_x + tap % params.kernel_width * params.dilation_x - params.pad_left;
  let inside = y >= 0 && y < params.in_height && x >= 0 && x < params.in_width;
  let source = ((n * params.in_height + y) * params.in_width + x) * params.in_channels + k % params.in_channels;
  let seen = select(0.0, inputs[select(0, source, inside)], inside);
  let row = params.first_sample * area + position;
  rows[((row / 64) * params.row_length + params.offset + k) * 64 + row % 64] = select(seen, 1.0, k == params.tap_count);
}
