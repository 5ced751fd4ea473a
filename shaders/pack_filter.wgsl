// Filter of a convolution in the layout that `convolution` reads: channels padded with zeros to a multiple of 8, and the bias as the last tap.
// packed[r, s, i, o] = filter[first_row + r*row_step, first_column + s*column_step, i, o]. For the input's gradient the filter is rotated by
// 180 degrees first, filter[kernel_height - 1 - r, kernel_width - 1 - s] in place of filter[r, s], has no bias, and is transposed: packed[r, s,
// o, i], where o counts the output channels of the group that input channel i is in.
//
// One invocation writes eight elements: one tap of a block of 8 channels.
// Dispatch: ceil((rows * columns * inner + 1) * groups * ceil(outer / 8) / 64) workgroups, where outer = out_channels / groups and
//           inner = filter_channels, or the reverse when transposed.
// Layout: filters [kernel_height, kernel_width, filter_channels, out_channels]; bias [out_channels], any buffer where has_bias is 0;
//         packed [rows * columns * inner + 1, groups, outer rounded up to a multiple of 8].
// Tails: elements beyond the last channel of a group are zeros.
// Float64 twin: engine/reference/convolution.ts, packFilter.

struct Params {
  kernel_height: u32,
  kernel_width: u32,
  filter_channels: u32,  // input channels that a filter sees
  out_channels: u32,
  groups: u32,
  rows: u32,
  columns: u32,
  row_step: u32,
  column_step: u32,
  first_row: u32,
  first_column: u32,
  has_bias: u32,
  rotated: u32,
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
  let group_outputs = params.out_channels / params.groups;
  let inner = select(params.filter_channels, group_outputs, is_transposed);
  let outer = select(group_outputs, params.filter_channels, is_transposed);
  let group_blocks = (outer + 7u) / 8u;
  let blocks = params.groups * group_blocks;
  let taps = params.rows * params.columns * inner;
  let tap = index / blocks;
  let first_output = index % blocks / group_blocks * group_outputs;
  let first = index % group_blocks * 8u;
  if tap > taps { return; }

  let is_bias = tap == taps;
  let own = tap / inner;
  let row = params.first_row + own / params.columns * params.row_step;
  let column = params.first_column + own % params.columns * params.column_step;
  let kept = row * params.kernel_width + column;
  let source = select(kept, params.kernel_height * params.kernel_width - 1u - kept, params.rotated == 1u);
  // Index of the group's outer channel 0 of this tap, and the distance from one outer channel to the next.
  let start = source * params.filter_channels * params.out_channels + first_output +
    tap % inner * select(params.out_channels, 1u, is_transposed);
  let stride = select(1u, params.out_channels, is_transposed);
  for (var i = 0u; i < 8u; i++) { // unroll
    let channel = first + i;
    let at = start + channel * stride;
    let weight = filters[at];
    let output = first_output + channel;
    let own_bias = bias[output];
    let last = select(0.0, own_bias, params.has_bias == 1u);
    packed[index * 8u + i] = select(0.0, select(weight, last, is_bias), channel < outer);
  }
}
