// Gradient of cross_entropy with respect to the logits: gradients[n, c] = deltas[n] (softmax(z[n])[c] - [c = labels[n]]).
//
// At the label it is computed as minus the sum of the other classes' softmax: softmax - 1 would cancel where the softmax is near 1.
//
// One invocation computes one sample's gradients.
// Dispatch: ceil(sample_count / 64) workgroups.
// Layout: logits z and gradients [N, classes], labels [N] class indices in f32, deltas [N] (gradients of the
//         losses).
// Tails: invocations beyond the last sample do nothing.
// Float64 twin: engine/reference/pointwise.ts, crossEntropyGradient.

import package::shared::logits::{params, labels, read_logit};

@group(0) @binding(3) var<storage, read> deltas: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = (group.x + group.y * groups.x) * 64u + lane;
  if n >= params.sample_count { return; }
  let first = n * params.classes;
  var largest = read_logit(first);
  for (var c = 1u; c < params.classes; c++) {
    largest = max(largest, read_logit(first + c));
  }
  let label = u32(labels[n]);
  // Exponents are at most 0, so exp cannot overflow.
  var others = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    if c != label { others += exp(read_logit(first + c) - largest); }
  }
  let factor = deltas[n] / (others + exp(read_logit(first + label) - largest));
  for (var c = 0u; c < params.classes; c++) {
    let share = select(exp(read_logit(first + c) - largest), -others, c == label);
    gradients[first + c] = factor * share;
  }
}
