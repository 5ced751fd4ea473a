// Diagonal of a Gram tile, an epilogue: similarity[n] = kappa(n, n) = |phi(n)|^2.
//
// One invocation copies one element.
// Dispatch: ceil(count / 64) workgroups.
// Layout: the tile is row-major, 64 * tile_panels elements a row; similarity [N].
// Tails: invocations beyond count do nothing.
// Float64 twin: engine/reference/gram.ts, gramRows (its diagonal).

struct Params {
  tile_panels: u32,    // panels in a row of the tile
  count: u32,          // samples of the tile
  first: u32,          // index in similarity of the first
  continues: u32,      // 1: adds to what earlier slices of the rows have stored
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tile: array<f32>;
@group(0) @binding(2) var<storage, read_write> similarity: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = (group.x + group.y * groups.x) * 64u + lane;
  if n >= params.count { return; }
  let at = params.first + n;
  similarity[at] = tile[n * params.tile_panels * 64u + n] + select(0.0, similarity[at], params.continues == 1u);
}
