// Cross-entropy of each sample's softmax: losses[n] = log(sum over c of exp(z[n, c])) - z[n, labels[n]], in nats.
//
// One invocation computes one sample's loss.
// Dispatch: ceil(sample_count / 64) workgroups.
// Layout: logits z [N, classes], labels [N] as whole numbers in f32, losses [N].
// Tails: invocations beyond the last sample do nothing.
// Float64 twin: tests/oracle/layers.ts, crossEntropy.

struct Params {
  sample_count: u32,
  classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

fn read_logit(at: u32) -> f32 {
  return logits[at];
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
  var largest = read_logit(first);
  for (var c = 1u; c < params.classes; c++) {
    largest = max(largest, read_logit(first + c));
  }
  // exponents of at most 0 cannot overflow
  var sum = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    sum += exp(read_logit(first + c) - largest);
  }
  let label = u32(labels[n]);
  losses[n] = log(sum) - (read_logit(first + label) - largest);
}
