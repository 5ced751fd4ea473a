// Convolution: outputs[n, y, x, o] = bias[o] + sum over r, s, i of spread[n, y*stride + r - pad_top, x*stride + s - pad_left, i]
// filter[r, s, i, o], where `spread` is the input with gap - 1 zeros between its pixels. With gap 1 that is a layer's forward pass; with
// the deltas for input, the filter transposed and the gap at the layer's stride it is the gradient of the layer's input.
//
// One invocation computes 8 neighbouring positions x 8 output channels; positions run through rows, images and samples.
// Dispatch: ceil(ceil(sample_count * out_height * out_width / 8) * ceil(out_channels / 8) / 64) workgroups.
// Layout: inputs [N, in_height, in_width, in_channels], zeros around the image; filters as pack_filter leaves them, the bias last;
//         outputs [N, out_height, out_width, out_channels].
// Tails: positions and channels beyond the end are computed from whatever is read there and not stored.
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
  gap: i32,
  pad_top: i32,   // negative: rows are left out
  pad_left: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> filters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> outputs: array<f32>;

// An output position: sample, row and column.
struct Place {
  n: i32,
  y: i32,
  x: i32,
}

fn step_on(place: Place) -> Place {
  let ends_row = place.x + 1 == params.out_width;
  let ends_image = ends_row && place.y + 1 == params.out_height;
  return Place(
    place.n + select(0, 1, ends_image),
    select(place.y + select(0, 1, ends_row), 0, ends_image),
    select(place.x + 1, 0, ends_row),
  );
}

// Where four positions meet the input along one axis, and whether they do.
struct Meeting {
  at: vec4i,
  inside: vec4<bool>,
}

fn meet(spread: vec4i, size: i32, per_gap: f32) -> Meeting {
  // rounding towards zero sends what is negative or between two pixels to another multiple of the gap
  let at = vec4i((vec4f(spread) + 0.5) * per_gap);
  return Meeting(at, (at * params.gap == spread) & (at < vec4i(size)));
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

// Adds a (x) w: four positions by four channels.
fn accumulate(sums: mat4x4f, a: vec4f, w: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(a.x), w, sums[0]),
    fma(vec4f(a.y), w, sums[1]),
    fma(vec4f(a.z), w, sums[2]),
    fma(vec4f(a.w), w, sums[3]),
  );
}

fn store(position: i32, channel: i32, low: vec4f, high: vec4f) {
  if position >= params.sample_count * params.out_height * params.out_width { return; }
  let at = position * params.out_channels + channel;
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
  let area = params.out_height * params.out_width;
  let position_octets = (params.sample_count * area + 7) / 8;
  // neighbouring invocations differ in position: they read the same filter
  let octet = index / position_octets;
  if octet >= channel_octets { return; }
  let position = (index % position_octets) * 8;
  let channel = octet * 8;

  let p0 = Place(position / area, position % area / params.out_width, position % params.out_width);
  let p1 = step_on(p0);
  let p2 = step_on(p1);
  let p3 = step_on(p2);
  let p4 = step_on(p3);
  let p5 = step_on(p4);
  let p6 = step_on(p5);
  let p7 = step_on(p6);
  let row0 = vec4i(p0.y, p1.y, p2.y, p3.y) * params.stride - params.pad_top;
  let row1 = vec4i(p4.y, p5.y, p6.y, p7.y) * params.stride - params.pad_top;
  let column0 = vec4i(p0.x, p1.x, p2.x, p3.x) * params.stride - params.pad_left;
  let column1 = vec4i(p4.x, p5.x, p6.x, p7.x) * params.stride - params.pad_left;
  let image0 = vec4i(p0.n, p1.n, p2.n, p3.n) * params.in_height;
  let image1 = vec4i(p4.n, p5.n, p6.n, p7.n) * params.in_height;
  let row_size = params.in_width * params.in_channels;
  let per_gap = 1.0 / f32(params.gap);

  // positions 0 to 3 and 4 to 7 by channels 0 to 3 (low) and 4 to 7 (high)
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  var filter_at = octet * 2;
  var r = 0;
  var s = 0;
  // one loop over the filter's rows and columns: a CPU driver copies all sums whenever a loop begins
  for (var place = 0; place < params.kernel_height * params.kernel_width; place++) {
    let y0 = meet(row0 + r, params.in_height, per_gap);
    let y1 = meet(row1 + r, params.in_height, per_gap);
    let x0 = meet(column0 + s, params.in_width, per_gap);
    let x1 = meet(column1 + s, params.in_width, per_gap);
    let at0 = (image0 + y0.at) * row_size + x0.at * params.in_channels;
    let at1 = (image1 + y1.at) * row_size + x1.at * params.in_channels;
    let inside0 = y0.inside & x0.inside;
    let inside1 = y1.inside & x1.inside;
    for (var i = 0; i < params.in_channels; i++) {
      let a0 = read_inputs(at0 + i, inside0);
      let a1 = read_inputs(at1 + i, inside1);
      let low = read_filter(filter_at);
      let high = read_filter(filter_at + 1);
      low0 = accumulate(low0, a0, low);
      low1 = accumulate(low1, a1, low);
      high0 = accumulate(high0, a0, high);
      high1 = accumulate(high1, a1, high);
      filter_at += channel_octets * 2;
    }
    s += 1;
    let ends_row = s == params.kernel_width;
    s = select(s, 0, ends_row);
    r += select(0, 1, ends_row);
  }
  // the bias is the filter's last tap, and its input is 1
  let bias_low = read_filter(filter_at);
  let bias_high = read_filter(filter_at + 1);
  store(position, channel, low0[0] + bias_low, high0[0] + bias_high);
  store(position + 1, channel, low0[1] + bias_low, high0[1] + bias_high);
  store(position + 2, channel, low0[2] + bias_low, high0[2] + bias_high);
  store(position + 3, channel, low0[3] + bias_low, high0[3] + bias_high);
  store(position + 4, channel, low1[0] + bias_low, high1[0] + bias_high);
  store(position + 5, channel, low1[1] + bias_low, high1[1] + bias_high);
  store(position + 6, channel, low1[2] + bias_low, high1[2] + bias_high);
  store(position + 7, channel, low1[3] + bias_low, high1[3] + bias_high);
}
