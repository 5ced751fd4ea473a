// Cross-entropy of each sample's softmax: losses[n] = log(sum over c of exp(z[n, c])) - z[n, labels[n]], in nats.
//
// With the largest logit m it is computed as log(1 + sum over the other classes of exp(z - m)) + m - z[n, labels[n]]: nothing cancels, so that
// the small loss of a sample that is predicted with near certainty keeps its digits.
//
// One invocation computes one sample's loss.
// Dispatch: ceil(sample_count / 64) workgroups.
// Layout: logits z [N, classes], labels [N] class indices in f32, losses [N].
// Tails: invocations beyond the last sample do nothing.
// Float64 twin: engine/reference/pointwise.ts, crossEntropy.

import package::shared::logits::{params, labels, read_logit};

@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

// log(1 + x) for x >= 0, to a few units in the last place: for x < 1 it is the series of 2 atanh(x / (2 + x)).
fn log_one_plus(x: f32) -> f32 {
  let part = x / (2.0 + x);
  let square = part * part;
  let series = ((0.14012231 * square + 0.13999569) * square + 0.2001085) * square + 0.33333206;
  return select(log(1.0 + x), 2.0 * (part + part * square * series), x < 1.0);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = (group.x + group.y * groups.x) * 64u + lane;
  if n >= params.sample_count { return; }
  let first = n * params.classes;
  var top = 0u;
  var largest = read_logit(first);
  for (var c = 1u; c < params.classes; c++) {
    let logit = read_logit(first + c);
    if logit > largest {
      largest = logit;
      top = c;
    }
  }
  // Exponents are at most 0, so exp cannot overflow.
  var others = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    if c != top { others += exp(read_logit(first + c) - largest); }
  }
  let label = u32(labels[n]);
  losses[n] = log_one_plus(others) + (largest - read_logit(first + label));
}
