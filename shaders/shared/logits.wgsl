// Parameters, logits [N, classes] and labels [N] (class indices in f32) that cross-entropy and its gradient share.

struct Params {
  sample_count: u32,
  classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;

fn read_logit(at: u32) -> f32 {
  return logits[at];
}
