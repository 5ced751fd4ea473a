// Nearest samples, an epilogue of a Gram tile: keeps for every sample the nearest_count other samples of the largest kappa, the largest first,
// the lower index first on a tie.
//
// One invocation serves one row of the tile, or one of its columns where by_column is 1: then the tile is read as its transpose. A launch reads
// the columns, or by column the rows, from start up to end; launches that read them in order keep what a single one does.
// Loops: an invocation takes up to nearest_count steps for each that it reads, and lavapipe silently ends its loops after 65,535 in all.
// Dispatch: ceil(row_count / 64) workgroups, or ceil(column_count / 64) by column.
// Layout: the tile is row-major, 64 * column_panels elements a row; nearest [N, nearest_count] indices and similarity [N, nearest_count],
//         0xffffffff and f32's lowest where there is no sample yet.
// Tails: rows and columns beyond row_count and column_count are left out. Of a tile on the diagonal only panels on and above it are read,
//        and a sample is never its own neighbour.
// Float64 twin: engine/reference/relations.ts, nearestSamples.

struct Params {
  column_panels: u32,
  first_row: u32,      // index in the data set of the tile's first row
  row_count: u32,
  first_column: u32,
  column_count: u32,
  by_column: u32,
  start: u32,          // first column, or row by column, that is read
  end: u32,            // the one after the last
  nearest_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tile: array<f32>;
@group(0) @binding(2) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(3) var<storage, read_write> similarity: array<f32>;

// Number of elements that are compared with the list's last at once.
const CHUNK = 16u;

// Inserts a sample into the sorted list that starts at `at`, and drops the list's last; the caller has seen that it comes before that.
fn insert(at: u32, sample: u32, kappa: f32) {
  var slot = at + params.nearest_count - 1u;
  for (; slot > at; slot--) {
    let before = similarity[slot - 1u];
    if before > kappa || (before == kappa && nearest[slot - 1u] < sample) { break; }
    similarity[slot] = before;
    nearest[slot] = nearest[slot - 1u];
  }
  similarity[slot] = kappa;
  nearest[slot] = sample;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let own = (group.x + group.y * groups.x) * 64u + lane;
  let by_column = params.by_column == 1u;
  if own >= select(params.row_count, params.column_count, by_column) { return; }
  let is_diagonal = params.first_row == params.first_column;
  let stride = params.column_panels * 64u;
  let sample = select(params.first_row, params.first_column, by_column) + own;
  let first_other = select(params.first_column, params.first_row, by_column);

  // Range that is read. On the diagonal it is a row from its own panel on, and a column up to its own panel.
  let panel = own / 64u * 64u;
  let start = max(params.start, select(0u, panel, is_diagonal && !by_column));
  let whole = min(params.end, select(params.column_count, params.row_count, by_column));
  let end = select(whole, min(panel, whole), is_diagonal && by_column);

  let at = sample * params.nearest_count;
  let last = at + params.nearest_count - 1u;
  var least = similarity[last];
  var farthest = nearest[last];
  let first = select(own * stride, own, by_column);
  let step = select(1u, stride, by_column);
  for (var chunk = start; chunk < end; chunk += CHUNK) {
    let limit = min(chunk + CHUNK, end);
    // Most chunks have nothing that comes before the list's last.
    var largest = tile[first + chunk * step];
    for (var i = chunk + 1u; i < limit; i++) { largest = max(largest, tile[first + i * step]); }
    if largest < least { continue; }
    for (var i = chunk; i < limit; i++) {
      let other = first_other + i;
      let kappa = tile[first + i * step];
      if other == sample || kappa < least || (kappa == least && other > farthest) { continue; }
      insert(at, other, kappa);
      least = similarity[last];
      farthest = nearest[last];
    }
  }
}
