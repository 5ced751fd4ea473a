// Vectors copied from sample-major order into k-major panels of packed rows: one factor of a dense layer's gradient a (x) d (its input a, or its
// output gradient d), so that a (x) d itself is never formed, since by equation 3 of the paper, second line, the product of two such rows is
// (a . a') (d . d'); or the gradient of a parameter that is no matrix of weights, or a part of it.
//
// One invocation copies one element of one sample; where the layer has a bias, a 1 follows the last element.
// Dispatch: ceil(sample_count * (length + bias) / 64) workgroups.
// Layout: values [sample_count, width], of which elements first to first + length - 1 are copied; the k-th of row n is written to ((n / 64) * row_length + offset + k) * 64 + n % 64,
//         n counted from first_row.
// Tails: invocations beyond the last element do nothing.
// Float64 twin: engine/reference/gram.ts, gramRows (its rows hold the same segments).

struct Params {
  sample_count: u32,
  width: u32,
  first: u32,
  length: u32,
  bias: u32,           // 1: append a 1
  first_row: u32,
  row_length: u32,
  offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let k = index / params.sample_count;
  let sample = index % params.sample_count;
  if k >= params.length + params.bias { return; }
  let source = sample * params.width + params.first + min(k, params.length - 1u);
  let value = values[source];
  let row = params.first_row + sample;
  let at = ((row / 64u) * params.row_length + params.offset + k) * 64u + row % 64u;
  rows[at] = select(value, 1.0, k == params.length);
}
