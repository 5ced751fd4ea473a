// Filter of a convolution in the layout that `convolution` reads: channels padded with zeros to a multiple of 8, and the bias as the last tap.
// packed[r, s, i, o] = filter[first_row + r*step, first_column + s*step, i, o]; or, transposed for the input's gradient and without a bias,
// packed[r, s, o, i] = rotated[first_row + r*step, first_column + s*step, i, o], where rotated[r, s] is the filter rotated by 180 degrees,
// filter[kernel_height - 1 - r, kernel_width - 1 - s].
//
// One invocation writes eight elements: one tap of a block of 8 channels.
// Dispatch: ceil((rows * columns * inner + 1) * ceil(outer / 8) / 64) workgroups, where outer = out_channels and inner = in_channels, or the
//           reverse when transposed.
// Layout: filters [kernel_height, kernel_width, in_channels, out_channels]; bias [out_channels], any buffer where has_bias is 0;
//         packed [rows * columns * inner + 1, outer rounded up to a multiple of 8].
// Tails: elements beyond the last channel are zeros.
// Float64 twin: engine/reference/convolution.ts, packFilter.

struct Params {
  kernel_height: u32,
  kernel_width: u32,
  in_channels: u32,
  out_channels: u32,
  rows: u32,
  columns: u32,
  step: u32,
  first_row: u32,
  first_column: u32,
  has_bias: u32,
  transposed: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let is_transposed = params.transposed == 1u;
  let inner = select(params.in_channels, params.out_channels, is_transposed);
  let outer = select(params.out_channels, params.in_channels, is_transposed);
  let blocks = (outer + 7u) / 8u;
  let taps = params.rows * params.columns * inner;
  let tap = index / blocks;
  let first = index % blocks * 8u;
  if tap > taps { return; }

  let is_bias = tap == taps;
  let own = tap / inner;
  let row = params.first_row + own / params.columns * params.step;
  let column = params.first_column + own % params.columns * params.step;
  let kept = row * params.kernel_width + column;
  let source = select(kept, params.kernel_height * params.kernel_width - 1u - kept, is_transposed);
  // Index of outer channel 0 of this tap, and the distance from one outer channel to the next.
  let start = source * params.in_channels * params.out_channels + tap % inner * select(params.out_channels, 1u, is_transposed);
  let stride = select(1u, params.out_channels, is_transposed);
  for (var i = 0u; i < 8u; i++) { // unroll
    let channel = first + i;
    let at = start + channel * stride;
    let weight = filters[at];
    let own_bias = bias[channel];
    let last = select(0.0, own_bias, params.has_bias == 1u);
    packed[index * 8u + i] = select(0.0, select(weight, last, is_bias), channel < outer);
  }
}
