// Convolution: outputs[n, first_row + k*step, first_column + l*step, o] = bias[o] + sum over r, s, i of
// inputs[n, k*stride + r - pad_top, l*stride + s - pad_left, i] filter[r, s, i, o]. With step 1 that is a layer's forward pass; of a
// layer's deltas with the filter transposed it is the gradient of the layer's input, a launch for each remainder by the layer's stride.
//
// One invocation computes a run: POSITIONS neighbours in a row, by OUTPUTS channels. It reads the window of a row that TAPS neighbouring
// columns of the filter see from there once, so that a number serves all taps that meet it.
// Dispatch: ceil(ceil(runs / 16) * ceil(out_channels / 8) / 4) workgroups, for runs = sample_count * rows * ceil(columns / POSITIONS), where
//           rows and columns count those that are computed: ceil((out_height - first_row) / step) and ceil((out_width - first_column) / step).
// Layout: inputs [N, in_height, in_width, in_channels], zeros around the image; filters as pack_filter leaves them, or as they stand, where
//         there is no bias and out_channels a multiple of 8; outputs [N, out_height, out_width, out_channels].
// Needs: TAPS to divide kernel_width, and CHANNELS in_channels; OUTPUTS to be 8, or out_channels where those are fewer.
// Tails: positions and channels beyond the end are computed from whatever is read there and not stored.
// Float64 twin: engine/reference/convolution.ts, convForward and convInputGradient.

import package::shared::window::{POSITIONS, STRIDE, TAPS, CHANNELS, OUTPUTS, WINDOW, read_inputs};

struct Params {
  sample_count: i32,
  in_height: i32,
  in_width: i32,
  in_channels: i32,
  out_height: i32,
  out_width: i32,
  out_channels: i32,
  kernel_height: i32,
  kernel_width: i32,
  pad_top: i32,   // negative: rows are left out
  pad_left: i32,
  step: i32,
  first_row: i32,
  first_column: i32,
  has_bias: i32,      // 1: the last tap of the filters is the bias
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> filters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;

const FILTERS = TAPS * CHANNELS * 2;        // quads of a step's filters
const FILTER_READS = (FILTERS + 7) / 8;

// Neighbouring invocations that differ in their run only, and read the same filters. Then come the channels, so that all numbers of a
// position are written at about the same time: two cores that wrote halves of a cache line would wait for one another.
const LANES = 16;

fn count_octets() -> i32 {
  return (params.out_channels + 7) / 8;
}

fn read_filter(at: i32) -> vec4f {
  return filters[at];
}

// Quad `q` of a step that begins at `at`: taps, the channels of each, and both halves of an octet.
fn locate_filter(at: i32, q: i32) -> i32 {
  let tap = q / 2;
  return at + (tap / CHANNELS * params.in_channels + tap % CHANNELS) * count_octets() * 2 + q % 2;
}

// The filters of a step, each quad read by one of eight neighbours, who passes it on, where neighbours can.
@if(subgroups) fn read_filters(at: i32, lane: i32) -> array<vec4f, FILTERS> {
  var own: array<vec4f, FILTER_READS>;
  for (var r = 0u; r < FILTER_READS; r++) { // unroll
    own[r] = read_filter(locate_filter(at, min(i32(r * 8u) + lane % 8, FILTERS - 1)));
  }
  var quads: array<vec4f, FILTERS>;
  for (var q = 0u; q < FILTERS; q++) { // unroll
    quads[q] = subgroupBroadcast(own[q / 8u], q % 8u);
  }
  return quads;
}
@else fn read_filters(at: i32, lane: i32) -> array<vec4f, FILTERS> {
  var quads: array<vec4f, FILTERS>;
  for (var q = 0u; q < FILTERS; q++) { // unroll
    quads[q] = read_filter(locate_filter(at, i32(q)));
  }
  return quads;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = i32(local);
  let first = i32(group.x + group.y * groups.x) * 64;
  let octets = count_octets();
  let rows = (params.out_height - params.first_row + params.step - 1) / params.step;
  let columns = (params.out_width - params.first_column + params.step - 1) / params.step;
  let row_runs = (columns + POSITIONS - 1) / POSITIONS;
  let run_count = params.sample_count * rows * row_runs;
  if first >= (run_count + LANES - 1) / LANES * LANES * octets { return; }
  let index = first + lane;
  let octet = index / LANES % octets;
  let own_run = index / (LANES * octets) * LANES + index % LANES;
  // all invocations stay, since their neighbours may need what they read
  let run = min(own_run, run_count - 1);
  let x = run % row_runs * POSITIONS;
  let y = run / row_runs % rows;
  let n = run / (row_runs * rows);

  // where the first tap meets the input
  let row = y * STRIDE - params.pad_top;
  let column = x * STRIDE - params.pad_left;
  let row_size = params.in_width * params.in_channels;
  var at = (n * params.in_height + row) * row_size + column * params.in_channels;

  var sums: array<f32, POSITIONS * OUTPUTS>;
  // one loop over rows, columns and channels of the filter: a CPU driver copies all sums in every step and whenever a loop begins
  var r = 0;
  var s = 0;
  var i = 0;
  var filter_at = octet * 2;
  let steps = params.kernel_height * (params.kernel_width / TAPS) * (params.in_channels / CHANNELS);
  for (var step = 0; step < steps; step++) {
    let has_row = u32(row + r) < u32(params.in_height);
    // all reads first, then sum by sum: each is touched once in a step
    var window: array<vec4f, WINDOW>;
    for (var w = 0u; w < WINDOW; w++) { // unroll
      let is_inside = has_row && u32(column + s + i32(w)) < u32(params.in_width);
      window[w] = select(vec4f(), read_inputs(at + i32(w) * params.in_channels + i), is_inside);
    }
    var step_filters = read_filters(filter_at, lane);
    for (var p = 0u; p < POSITIONS; p++) { // unroll
      for (var o = 0u; o < OUTPUTS; o++) { // unroll
        for (var t = 0u; t < TAPS; t++) { // unroll
          for (var c = 0u; c < CHANNELS; c++) { // unroll
            let weight = step_filters[(t * CHANNELS + c) * 2u + o / 4u][o % 4u];
            sums[p * OUTPUTS + o] = fma(window[p * STRIDE + t][c], weight, sums[p * OUTPUTS + o]);
          }
        }
      }
    }
    i += CHANNELS;
    filter_at += CHANNELS * octets * 2;
    let ends_channels = i == params.in_channels;
    i = select(i, 0, ends_channels);
    s += select(0, TAPS, ends_channels);
    at += select(0, TAPS * params.in_channels, ends_channels);
    filter_at += select(0, (TAPS - 1) * params.in_channels * octets * 2, ends_channels);
    let ends_row = s == params.kernel_width;
    at += select(0, row_size - params.kernel_width * params.in_channels, ends_row);
    r += select(0, 1, ends_row);
    s = select(s, 0, ends_row);
  }

  // the bias is the filter's last tap, and its input is 1
  let has_bias = params.has_bias == 1;
  let bias_at = select(octet, params.kernel_height * params.kernel_width * params.in_channels * octets + octet, has_bias) * 2;
  let biases = array<vec4f, 2>(
    select(vec4f(), read_filter(bias_at), has_bias),
    select(vec4f(), read_filter(bias_at + 1), has_bias),
  );
  let place = (n * params.out_height + params.first_row + y * params.step) * params.out_width + params.first_column;
  let count = select(0, params.out_channels - octet * 8, own_run < run_count);
  for (var p = 0u; p < POSITIONS; p++) { // unroll
    let out = (place + (x + i32(p)) * params.step) * params.out_channels + octet * 8;
    let position_count = select(0, count, x + i32(p) < columns);
    for (var o = 0u; o < OUTPUTS; o++) { // unroll
      if i32(o) < position_count { outputs[out + i32(o)] = sums[p * OUTPUTS + o] + biases[o / 4u][o % 4u]; }
    }
  }
}
