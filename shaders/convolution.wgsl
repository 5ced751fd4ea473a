// Convolution: outputs[n, first_row + k*step_y, first_column + l*step_x, o] = bias[o] + sum over r, s, i of
// inputs[n, k*STRIDE_Y + r*DILATION_Y - pad_top, l*STRIDE_X + s*DILATION_X - pad_left, g*in_channels/groups + i] filter[r, s, i, o], where
// output channel o is in group g of the channels. With steps of 1 this is a layer's forward pass. Applied to a layer's output gradients with
// the transposed filter it is the gradient of the layer's input, one launch for each remainder by the strides.
//
// One invocation computes a run, POSITIONS neighbouring positions of an output row, for OUTPUTS channels. In each step it reads once the
// window of an input row that TAPS neighbouring columns of the filter see from there, and uses each element for every tap that meets it.
// Dispatch: ceil(ceil(runs / 16) * groups * ceil(out_channels / groups / 8) / 4) workgroups, for runs = sample_count * rows *
//           ceil(columns / POSITIONS), where rows = ceil((out_height - first_row) / step_y) and columns = ceil((out_width - first_column) /
//           step_x) are those that are computed.
// Layout: inputs [N, in_height, in_width, in_channels], with zeros around the image; filters as pack_filter writes them, or as the layer
//         holds them where it has no bias and a group's output channels are a multiple of 8; outputs [N, out_height, out_width, out_channels].
// Needs: TAPS to divide kernel_width, and CHANNELS filter_channels; OUTPUTS = min(8, out_channels / groups). With DEPTHWISE 1 groups of four
//        channels, filter_channels 1, CHANNELS 1, OUTPUTS 4, and inputs as vec4f.
// Tails: positions and channels beyond the end are computed from whatever is read there and not stored.
// Float64 twin: engine/reference/convolution.ts, convForward and convInputGradient.

import package::shared::window::{POSITIONS, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X, TAPS, CHANNELS, OUTPUTS, GROUPED, DEPTHWISE, WINDOW, read_inputs};

struct Params {
  sample_count: i32,
  in_height: i32,
  in_width: i32,
  in_channels: i32,
  out_height: i32,
  out_width: i32,
  out_channels: i32,
  groups: i32,           // of channels: outputs of one see the inputs of the same
  group_inputs: i32,     // in_channels / groups
  group_outputs: i32,    // out_channels / groups
  filter_channels: i32,  // input channels that a filter sees
  kernel_height: i32,
  kernel_width: i32,
  pad_top: i32,          // rows of zeros above the image; negative: input rows that are skipped
  pad_left: i32,
  step_y: i32,
  step_x: i32,
  first_row: i32,
  first_column: i32,
  has_bias: i32,         // 1: the last tap of the filters is the bias
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> filters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;

const FILTERS = TAPS * CHANNELS * 2;        // vec4s of a step's filters
const FILTER_READS = (FILTERS + 7) / 8;     // of which each of eight invocations reads so many

// Neighbouring invocations that differ in their run only, and so read the same filters. The next ones take the next block of channels, so
// that all channels of a position are written at about the same time: two cores that wrote halves of a cache line would wait for each other.
const LANES = 16;

fn read_filter(at: i32) -> vec4f {
  return filters[at];
}

// Index of vec4 `v` of the step's filters [TAPS, CHANNELS, both halves of a block], which begin at `at`, for so many `blocks` of channels.
fn locate_filter(at: i32, v: i32, blocks: i32) -> i32 {
  let tap = v / 2;
  return at + (tap / CHANNELS * params.filter_channels + tap % CHANNELS) * blocks * 2 + v % 2;
}

// Filters of a step. With subgroups each vec4 is read by one of eight neighbouring invocations and broadcast to the others.
@if(subgroups) fn read_filters(at: i32, blocks: i32, lane: i32) -> array<vec4f, FILTERS> {
  var own: array<vec4f, FILTER_READS>;
  for (var r = 0u; r < FILTER_READS; r++) { // unroll
    own[r] = read_filter(locate_filter(at, min(i32(r * 8u) + lane % 8, FILTERS - 1), blocks));
  }
  var vectors: array<vec4f, FILTERS>;
  for (var v = 0u; v < FILTERS; v++) { // unroll
    vectors[v] = subgroupBroadcast(own[v / 8u], v % 8u);
  }
  return vectors;
}
@else fn read_filters(at: i32, blocks: i32, lane: i32) -> array<vec4f, FILTERS> {
  var vectors: array<vec4f, FILTERS>;
  for (var v = 0u; v < FILTERS; v++) { // unroll
    vectors[v] = read_filter(locate_filter(at, i32(v), blocks));
  }
  return vectors;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = i32(local);
  let first = i32(group.x + group.y * groups.x) * 64;
  // Blocks of 8 output channels: of a group, and of all.
  let group_blocks = (params.group_outputs + 7) / 8;
  let blocks = params.groups * group_blocks;
  let rows = (params.out_height - params.first_row + params.step_y - 1) / params.step_y;
  let columns = (params.out_width - params.first_column + params.step_x - 1) / params.step_x;
  let row_runs = (columns + POSITIONS - 1) / POSITIONS;
  let run_count = params.sample_count * rows * row_runs;
  if first >= (run_count + LANES - 1) / LANES * LANES * blocks { return; }
  let index = first + lane;
  let block = index / LANES % blocks;
  let channel_group = block / group_blocks * GROUPED;
  let own_run = index / (LANES * blocks) * LANES + index % LANES;
  // Invocations beyond the last run go on, since their neighbours may need the filters that they read.
  let run = min(own_run, run_count - 1);
  let x = run % row_runs * POSITIONS;
  let y = run / row_runs % rows;
  let n = run / (row_runs * rows);

  // Input position of the first tap.
  let row = y * STRIDE_Y - params.pad_top;
  let column = x * STRIDE_X - params.pad_left;
  let row_size = params.in_width * params.in_channels;
  let first_input = channel_group * params.group_inputs;
  var at = (n * params.in_height + row) * row_size + column * params.in_channels + first_input;

  var sums: array<f32, POSITIONS * OUTPUTS>;
  // One loop goes over rows, columns and channels of the filter: a CPU driver copies all sums in every step and whenever a loop begins. The
  // filter's rows and columns are counted in pixels.
  var r = 0;
  var s = 0;
  var i = 0;
  var filter_at = block * 2;
  let steps = params.kernel_height * (params.kernel_width / TAPS) * (params.filter_channels / CHANNELS);
  for (var step = 0; step < steps; step++) {
    let has_row = u32(row + r) < u32(params.in_height);
    // All reads come first, so that each sum is loaded and stored once in a step.
    var window: array<vec4f, WINDOW>;
    for (var w = 0u; w < WINDOW; w++) { // unroll
      let is_inside = has_row && u32(column + s + i32(w)) < u32(params.in_width);
      window[w] = select(vec4f(), read_inputs(at + i32(w) * params.in_channels + i), is_inside);
    }
    var step_filters = read_filters(filter_at, blocks, lane);
    for (var p = 0u; p < POSITIONS; p++) { // unroll
      for (var o = 0u; o < OUTPUTS; o++) { // unroll
        for (var t = 0u; t < TAPS; t++) { // unroll
          for (var c = 0u; c < CHANNELS; c++) { // unroll
            let weight = step_filters[(t * CHANNELS + c) * 2u + o / 4u][o % 4u];
            sums[p * OUTPUTS + o] = fma(window[p * STRIDE_X + t * DILATION_X][c + o * DEPTHWISE], weight, sums[p * OUTPUTS + o]);
          }
        }
      }
    }
    i += CHANNELS;
    filter_at += CHANNELS * blocks * 2;
    let ends_channels = i == params.filter_channels;
    i = select(i, 0, ends_channels);
    s += select(0, TAPS * DILATION_X, ends_channels);
    at += select(0, TAPS * DILATION_X * params.in_channels, ends_channels);
    filter_at += select(0, (TAPS - 1) * params.filter_channels * blocks * 2, ends_channels);
    let ends_row = s == params.kernel_width * DILATION_X;
    at += select(0, DILATION_Y * row_size - params.kernel_width * DILATION_X * params.in_channels, ends_row);
    r += select(0, DILATION_Y, ends_row);
    s = select(s, 0, ends_row);
  }

  // The bias is the filter's last tap, whose input is 1.
  let has_bias = params.has_bias == 1;
  let bias_at = select(block, params.kernel_height * params.kernel_width * params.filter_channels * blocks + block, has_bias) * 2;
  let biases = array<vec4f, 2>(
    select(vec4f(), read_filter(bias_at), has_bias),
    select(vec4f(), read_filter(bias_at + 1), has_bias),
  );
  let base = (n * params.out_height + params.first_row + y * params.step_y) * params.out_width + params.first_column;
  let own_block = block - channel_group * group_blocks;
  let channel = channel_group * params.group_outputs + own_block * 8;
  let count = select(0, params.group_outputs - own_block * 8, own_run < run_count);
  for (var p = 0u; p < POSITIONS; p++) { // unroll
    let out = (base + (x + i32(p)) * params.step_x) * params.out_channels + channel;
    let position_count = select(0, count, x + i32(p) < columns);
    for (var o = 0u; o < OUTPUTS; o++) { // unroll
      if i32(o) < position_count { outputs[out + i32(o)] = sums[p * OUTPUTS + o] + biases[o / 4u][o % 4u]; }
    }
  }
}
