// Sums of products over the positions of an image: sums[n, k] = sum over p of left[n, p, k] * right[n, p, k], in the order of p. Where left
// and right are a layer's input and output gradient, each convolved with random filters, these are the elements of a sketched row.
//
// One invocation computes one sum.
// Dispatch: ceil(sample_count * channels / 64) workgroups.
// Layout: left and right [sample_count, positions, channels], sums [sample_count, channels].
// Tails: invocations beyond the last sum do nothing.
// Float64 twin: engine/reference/convolution.ts, sumProducts.

struct Params {
  sample_count: u32,
  positions: u32,
  channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> right: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (workgroup.x + workgroup.y * workgroups.x) * 64u + lane;
  if index >= params.sample_count * params.channels { return; }
  let sample = index / params.channels;
  var at = sample * params.positions * params.channels + index % params.channels;
  var sum = 0.0;
  for (var p = 0u; p < params.positions; p++) {
    let a = left[at];
    let d = right[at];
    sum = fma(a, d, sum);
    at += params.channels;
  }
  sums[index] = sum;
}
