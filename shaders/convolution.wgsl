// Convolution: outputs[n, first_row + k*step, first_column + l*step, o] = bias[o] + sum over r, s, i of
// inputs[n, k*stride + r - pad_top, l*stride + s - pad_left, i] filter[r, s, i, o]. With step 1 that is a layer's forward pass; of a
// layer's deltas with the filter transposed it is the gradient of the layer's input, a launch for each remainder by the layer's stride.
//
// One invocation computes 8 neighbouring positions x 8 output channels; positions run through rows, images and samples.
// Dispatch: ceil(ceil(sample_count * rows * columns / 64) * ceil(out_channels / 8) / 8) workgroups, where rows and columns count those
//           that are computed: ceil((out_height - first_row) / step) and ceil((out_width - first_column) / step).
// Layout: inputs [N, in_height, in_width, in_channels], zeros around the image; filters as pack_filter leaves them, or as they stand, where
//         there is no bias and out_channels a multiple of 8; outputs [N, out_height, out_width, out_channels].
// Tails: positions and channels beyond the end are computed from whatever is read there and not stored; taps beyond a filter's row meet zeros.
// Float64 twin: tests/oracle/layers.ts, convForward and convInputGradient.

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
  stride: i32,
  pad_top: i32,   // negative: rows are left out
  pad_left: i32,
  step: i32,
  first_row: i32,
  first_column: i32,
  has_bias: i32,      // 1: the last tap of the filters is the bias
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> filters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;

// Further than any row reaches.
const BEYOND = 1 << 30;

// Rows and columns that are computed.
fn count_positions() -> vec2i {
  let size = vec2i(params.out_height - params.first_row, params.out_width - params.first_column);
  return (size + params.step - 1) / params.step;
}

// A computed position: sample, row and column.
struct Place {
  n: i32,
  y: i32,
  x: i32,
}

fn step_on(place: Place, size: vec2i) -> Place {
  let ends_row = place.x + 1 == size.y;
  let ends_image = ends_row && place.y + 1 == size.x;
  return Place(
    place.n + select(0, 1, ends_image),
    select(place.y + select(0, 1, ends_row), 0, ends_image),
    select(place.x + 1, 0, ends_row),
  );
}

fn read_input(at: i32) -> f32 {
  return inputs[at];
}

fn read_inputs(at: vec4i, inside: vec4<bool>) -> vec4f {
  let values = vec4f(read_input(at.x), read_input(at.y), read_input(at.z), read_input(at.w));
  return select(vec4f(), values, inside);
}

fn read_filter(at: i32) -> vec4f {
  return filters[at];
}

fn store(place: Place, channel: i32, low: vec4f, high: vec4f) {
  if place.n >= params.sample_count { return; }
  let row = place.n * params.out_height + params.first_row + place.y * params.step;
  let column = params.first_column + place.x * params.step;
  let at = (row * params.out_width + column) * params.out_channels + channel;
  let count = params.out_channels - channel;
  outputs[at] = low.x;
  if count > 1 { outputs[at + 1] = low.y; }
  if count > 2 { outputs[at + 2] = low.z; }
  if count > 3 { outputs[at + 3] = low.w; }
  if count > 4 { outputs[at + 4] = high.x; }
  if count > 5 { outputs[at + 5] = high.y; }
  if count > 6 { outputs[at + 6] = high.z; }
  if count > 7 { outputs[at + 7] = high.w; }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = i32((group.x + group.y * groups.x) * 64u + lane);
  let channel_octets = (params.out_channels + 7) / 8;
  let size = count_positions();
  let area = size.x * size.y;
  // Eight neighbouring invocations differ in position and read the same filter; then come the channels, so that all numbers of a position
  // are written at about the same time: two cores that wrote halves of a cache line would wait for one another.
  let octet = index / 8 % channel_octets;
  let position = (index / (8 * channel_octets) * 8 + index % 8) * 8;
  if position >= params.sample_count * area { return; }
  let channel = octet * 8;

  let p0 = Place(position / area, position % area / size.y, position % size.y);
  let p1 = step_on(p0, size);
  let p2 = step_on(p1, size);
  let p3 = step_on(p2, size);
  let p4 = step_on(p3, size);
  let p5 = step_on(p4, size);
  let p6 = step_on(p5, size);
  let p7 = step_on(p6, size);
  // where the first tap of each position meets the input: the row, and the place within it in numbers
  let row0 = vec4i(p0.y, p1.y, p2.y, p3.y) * params.stride - params.pad_top;
  let row1 = vec4i(p4.y, p5.y, p6.y, p7.y) * params.stride - params.pad_top;
  let start0 = (vec4i(p0.x, p1.x, p2.x, p3.x) * params.stride - params.pad_left) * params.in_channels;
  let start1 = (vec4i(p4.x, p5.x, p6.x, p7.x) * params.stride - params.pad_left) * params.in_channels;
  let row_size = params.in_width * params.in_channels;
  var at0 = (vec4i(p0.n, p1.n, p2.n, p3.n) * params.in_height + row0) * row_size + start0;
  var at1 = (vec4i(p4.n, p5.n, p6.n, p7.n) * params.in_height + row1) * row_size + start1;

  // positions 0 to 3 and 4 to 7 by channels 0 to 3 (low) and 4 to 7 (high)
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  // columns and channels of a filter's row together: its taps meet neighbouring numbers
  let row_taps = params.kernel_width * params.in_channels;
  var filter_row = octet * 2;
  var r = 0;
  var first_tap = 0;
  // one loop over the filter, 5 taps of a row at a time: a CPU driver copies all sums in every step and whenever a loop begins
  for (var step = 0; step < params.kernel_height * ((row_taps + 4) / 5); step++) {
    let has_row0 = vec4u(row0 + r) < vec4u(u32(params.in_height));
    let has_row1 = vec4u(row1 + r) < vec4u(u32(params.in_height));
    // all reads first, then sum by sum: each is touched once in a step
    var a0: array<vec4f, 5>;
    var a1: array<vec4f, 5>;
    var low: array<vec4f, 5>;
    var high: array<vec4f, 5>;
    for (var j = 0u; j < 5u; j++) { // unroll
      let tap = first_tap + i32(j);
      let reach = select(BEYOND, tap, tap < row_taps);
      a0[j] = read_inputs(at0 + tap, has_row0 & (vec4u(start0 + reach) < vec4u(u32(row_size))));
      a1[j] = read_inputs(at1 + tap, has_row1 & (vec4u(start1 + reach) < vec4u(u32(row_size))));
      let filter_at = filter_row + min(tap, row_taps - 1) * channel_octets * 2;
      low[j] = read_filter(filter_at);
      high[j] = read_filter(filter_at + 1);
    }
    for (var i = 0u; i < 4u; i++) { // unroll
      for (var j = 0u; j < 5u; j++) { // unroll
        low0[i] = fma(vec4f(a0[j][i]), low[j], low0[i]);
        low1[i] = fma(vec4f(a1[j][i]), low[j], low1[i]);
        high0[i] = fma(vec4f(a0[j][i]), high[j], high0[i]);
        high1[i] = fma(vec4f(a1[j][i]), high[j], high1[i]);
      }
    }
    first_tap += 5;
    let ends_row = first_tap >= row_taps;
    first_tap = select(first_tap, 0, ends_row);
    r += select(0, 1, ends_row);
    at0 += select(0, row_size, ends_row);
    at1 += select(0, row_size, ends_row);
    filter_row += select(0, row_taps * channel_octets * 2, ends_row);
  }
  // the bias is the filter's last tap, and its input is 1
  let has_bias = params.has_bias == 1;
  let bias_at = select(octet, params.kernel_height * row_taps * channel_octets + octet, has_bias) * 2;
  let bias_low = select(vec4f(), read_filter(bias_at), has_bias);
  let bias_high = select(vec4f(), read_filter(bias_at + 1), has_bias);
  var place = p0;
  store(place, channel, low0[0] + bias_low, high0[0] + bias_high);
  place = step_on(place, size);
  store(place, channel, low0[1] + bias_low, high0[1] + bias_high);
  place = step_on(place, size);
  store(place, channel, low0[2] + bias_low, high0[2] + bias_high);
  place = step_on(place, size);
  store(place, channel, low0[3] + bias_low, high0[3] + bias_high);
  place = step_on(place, size);
  store(place, channel, low1[0] + bias_low, high1[0] + bias_high);
  place = step_on(place, size);
  store(place, channel, low1[1] + bias_low, high1[1] + bias_high);
  place = step_on(place, size);
  store(place, channel, low1[2] + bias_low, high1[2] + bias_high);
  place = step_on(place, size);
  store(place, channel, low1[3] + bias_low, high1[3] + bias_high);
}
