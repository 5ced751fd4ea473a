// Multiply-adds from registers alone: the rate of the adapter's arithmetic when it waits for no memory.
//   x <- x * scale + offset, iteration_count times, in 32 chains that do not wait for one another; their total is stored
//
// One invocation computes 32 chains and stores one float, so that none of it can be left out. The chains begin at different values, so
// that no compiler merges some of them, and each product depends on the step before, so that none is hoisted out of the loop.
// Dispatch: count / 64 workgroups, count a multiple of 64.
// Constants: 8 times 4 chains hide the latency of a multiply-add. The loop's body has 4 steps, of which iteration_count is a multiple:
//         with fewer the loop itself shows, with more lavapipe's compiler computes chain after chain.
// Tails: none.
// Float64 twin: none; with scale 1/2 and offset 1 every chain ends at 2 exactly, and every total is 64.

struct Params {
  iteration_count: u32,
  scale: f32,
  offset: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> totals: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  let scale = vec4f(params.scale);
  let offset = vec4f(params.offset);
  var x: array<vec4f, 8>;
  for (var j = 0u; j < 8u; j++) { // unroll
    x[j] = f32(lane) + offset * (vec4f(0.0, 1.0, 2.0, 3.0) + f32(4u * j));
  }
  for (var i = 0u; i < params.iteration_count; i += 4u) {
    for (var step = 0u; step < 4u; step++) { // unroll
      for (var j = 0u; j < 8u; j++) { // unroll
        x[j] = fma(x[j], scale, offset);
      }
    }
  }
  var total = vec4f();
  for (var j = 0u; j < 8u; j++) { // unroll
    total += x[j];
  }
  totals[index] = dot(total, vec4f(1.0));
}
