// Filter gradient of a convolution, summed over the output positions p of a group of samples: sum_p a_p (x) d_p, where d_p are the output
// gradients (deltas) at p and a_p the inputs that the filter sees there; the bias counts as one more input that is always 1. With one sample a
// group this is the plain segment of a packed row (signed projection, equation 3 of the paper, second line); with several it is one part of a
// training step's gradient, which sum_groups adds up.
//
// One invocation computes the gradient of TAPS neighbouring columns of the filter by CHANNELS input channels by OUTPUTS output channels, of
// one group of channels, for one group of samples. In each step it takes POSITIONS neighbouring positions of an output row, and reads once the window that they see.
// A launch may compute a range of the gradient's elements only, from `first` up to but not including `end`, as where rows are cut into slices.
// Dispatch: ceil(groups * tiles / 64) workgroups. groups = group_count, rounded up to a multiple of `together`. tiles = groups *
//           ceil(out_channels / groups / OUTPUTS) times the parts that are computed, and once more where the range has bias elements. A part is CHANNELS input channels of
//           TAPS columns of a filter row. With TAPS 1 the parts that have elements of the range are computed, else for each block of TAPS
//           columns that has some the parts of all input channels.
// Layout: inputs [N, in_height, in_width, in_channels], deltas [N, out_height, out_width, out_channels].
//         Element k = tap * out_channels + channel of group g is written to
//         ((g + first_group) / 64) * panel_stride + ((g + first_group) % 64) * group_stride + (offset + k) * element_stride.
// Needs: TAPS to divide kernel_width, and CHANNELS filter_channels. With DEPTHWISE 1 groups of four channels, filter_channels 1, CHANNELS 1,
//        OUTPUTS 4, and inputs as vec4f.
// Tails: channels beyond the end are computed from whatever is read there and not stored; positions beyond it add zeros.
// Float64 twin: engine/reference/convolution.ts, projectPlain and convFilterGradient.

import package::shared::window::{POSITIONS, STRIDE_Y, STRIDE_X, DILATION_Y, DILATION_X, TAPS, CHANNELS, OUTPUTS, GROUPED, DEPTHWISE, WINDOW, read_inputs};

struct Params {
  sample_count: i32,
  group_count: i32,
  group_samples: i32,
  first_group: i32,
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
  first: i32,            // range of the gradient's elements k
  end: i32,
  pad_top: i32,
  pad_left: i32,
  row_part: i32,         // positions of a group of samples where all samples are joined into one image row; else 0
  together: i32,         // groups of samples that are interleaved over neighbouring invocations
  panel_stride: i32,
  group_stride: i32,
  element_stride: i32,
  offset: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@if(deltas_as_vec4) @group(0) @binding(2) var<storage, read> deltas: array<vec4f>;
@else @group(0) @binding(2) var<storage, read> deltas: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;

const VECTORS = (OUTPUTS + 3) / 4;        // vec4s of a position's deltas
const SUMS = TAPS * CHANNELS * OUTPUTS;   // elements that an invocation computes
const CONTINUES = 0;                      // 1: adds to what is there, such as the gradient at another place of the same layer; set by the host
const PART_STEPS = 32;                    // steps of POSITIONS each: at most 256 positions

// Deltas of four neighbouring channels; those beyond OUTPUTS are not used.
@if(deltas_as_vec4) fn read_deltas(at0: i32) -> vec4f {
  let vector = at0 / 4;
  return vec4f(deltas[vector]);
}
@else fn read_deltas(at0: i32) -> vec4f {
  let at1 = at0 + 1;
  let at2 = at0 + 2;
  let at3 = at0 + 3;
  return vec4f(deltas[at0], deltas[at1], deltas[at2], deltas[at3]);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((workgroup.x + workgroup.y * workgroups.x) * 64u + lane);
  let group_blocks = (params.group_outputs + OUTPUTS - 1) / OUTPUTS;
  let channel_blocks = params.groups * group_blocks;
  let channel_steps = params.filter_channels / CHANNELS;
  let row_blocks = params.kernel_width / TAPS;
  // A part is CHANNELS input channels for a block of TAPS columns; parts are ordered by filter row, block and channel. With TAPS 1 this is
  // the order of the elements too; otherwise columns and channels are interleaved, so that a launch computes whole blocks.
  let part_count = params.kernel_height * row_blocks * channel_steps;
  let tap_elements = params.kernel_height * params.kernel_width * params.filter_channels * params.out_channels;
  let parts_together = select(channel_steps, 1, TAPS == 1);
  let elements_together = parts_together * TAPS * CHANNELS * params.out_channels;
  let first_part = params.first / elements_together * parts_together;
  let end_part = min((params.end + elements_together - 1) / elements_together * parts_together, part_count);
  let has_bias = params.end > tap_elements;
  let tap_tiles = (end_part - first_part) * channel_blocks;
  let tiles = tap_tiles + select(0, channel_blocks, has_bias);

  // Where groups are adjacent in memory (group_stride 1), neighbouring invocations compute the same element of several groups, so that a
  // cache line is written at once instead of being fetched again for each group. Elsewhere they compute tiles of one group, from the
  // same inputs.
  let together = params.together;
  let group = index / (tiles * together) * together + index % together;
  if group >= params.group_count { return; }
  let tile = index / together % tiles;
  let is_bias = tile >= tap_tiles;
  let channel_block = tile % channel_blocks;
  let channel_group = channel_block / group_blocks * GROUPED;
  let first_output = (channel_block - channel_group * group_blocks) * OUTPUTS;
  let channel = channel_group * params.group_outputs + first_output;
  let part = first_part + tile / channel_blocks;
  let i = part % channel_steps * CHANNELS;
  let first_input = channel_group * params.group_inputs + i;
  let block = part / channel_steps;
  let r = block / row_blocks;
  let s = block % row_blocks * TAPS;

  var totals: array<f32, SUMS>;
  let is_part = params.row_part > 0;
  let first_sample = select(group * params.group_samples, 0, is_part);
  let samples = min(params.group_samples, params.sample_count - first_sample);
  let begin = group * params.row_part;
  let end = min(select(params.out_width, begin + params.row_part, is_part), params.out_width);
  let row_steps = (end - begin + POSITIONS - 1) / POSITIONS;
  var n = first_sample;
  var y = 0;
  var x = begin;
  let steps = samples * params.out_height * row_steps;
  // The error of a float32 sum grows with its length: over 224 x 224 positions one long sum was off by 6e-5. So at most 256 positions are
  // summed one after another, and these partial sums are added up. One inner loop goes over samples, rows and columns: a CPU driver copies
  // all sums in every step and whenever a loop begins.
  for (var begun = 0; begun < steps; begun += PART_STEPS) {
    var sums: array<f32, SUMS>;
    // Cleared by hand: compilers clear an array once, not each time that the loop reaches its declaration.
    for (var sum = 0u; sum < SUMS; sum++) { // unroll
      sums[sum] = 0.0;
    }
    for (var step = begun; step < min(begun + PART_STEPS, steps); step++) {
      let row = y * STRIDE_Y - params.pad_top + r * DILATION_Y;
      let column = x * STRIDE_X - params.pad_left + s * DILATION_X;
      let has_row = u32(row) < u32(params.in_height);
      let at = ((n * params.in_height + row) * params.in_width + column) * params.in_channels + first_input;
      let delta_at = ((n * params.out_height + y) * params.out_width + x) * params.out_channels + channel;
      // All reads come first, so that each sum is loaded and stored once in a step.
      var window: array<vec4f, WINDOW>;
      for (var w = 0u; w < WINDOW; w++) { // unroll
        let is_inside = has_row && u32(column + i32(w)) < u32(params.in_width);
        let seen = select(vec4f(), read_inputs(at + i32(w) * params.in_channels), is_inside);
        window[w] = select(seen, vec4f(1.0), is_bias);
      }
      var delta: array<vec4f, POSITIONS * VECTORS>;
      for (var p = 0u; p < POSITIONS; p++) { // unroll
        for (var v = 0u; v < VECTORS; v++) { // unroll
          let four = read_deltas(delta_at + i32(p) * params.out_channels + i32(v * 4u));
          delta[p * VECTORS + v] = select(vec4f(), four, x + i32(p) < end);
        }
      }
      for (var t = 0u; t < TAPS; t++) { // unroll
        for (var c = 0u; c < CHANNELS; c++) { // unroll
          for (var o = 0u; o < OUTPUTS; o++) { // unroll
            let sum = (t * CHANNELS + c) * OUTPUTS + o;
            for (var p = 0u; p < POSITIONS; p++) { // unroll
              sums[sum] = fma(window[p * STRIDE_X + t * DILATION_X][c + o * DEPTHWISE], delta[p * VECTORS + o / 4u][o % 4u], sums[sum]);
            }
          }
        }
      }
      x += POSITIONS;
      let ends_row = x >= end;
      x = select(x, begin, ends_row);
      y += select(0, 1, ends_row);
      let ends_image = y == params.out_height;
      y = select(y, 0, ends_image);
      n += select(0, 1, ends_image);
    }
    for (var sum = 0u; sum < SUMS; sum++) { // unroll
      totals[sum] += sums[sum];
    }
  }

  let g = group + params.first_group;
  let base = g / 64 * params.panel_stride + g % 64 * params.group_stride + params.offset * params.element_stride;
  let outputs = min(OUTPUTS, params.group_outputs - first_output);
  for (var t = 0u; t < TAPS; t++) { // unroll
    for (var c = 0u; c < CHANNELS; c++) { // unroll
      // The bias has one element for each output channel; a tile holds it in the sums of its first tap and channel.
      let count = select(outputs, 0, is_bias && t + c > 0u);
      let tap = ((r * params.kernel_width + s + i32(t)) * params.filter_channels) + i + i32(c);
      let first_element = select(tap * params.out_channels, tap_elements, is_bias) + channel;
      for (var o = 0u; o < OUTPUTS; o++) { // unroll
        let k = first_element + i32(o);
        let is_own = i32(o) < count && k >= params.first && k < params.end;
        if is_own {
          let at = base + k * params.element_stride;
          let before = select(0.0, gradients[at], CONTINUES == 1);
          gradients[at] = before + totals[(t * CHANNELS + c) * OUTPUTS + o];
        }
      }
    }
  }
}
