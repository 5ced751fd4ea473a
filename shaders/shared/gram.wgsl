// What the variants of the Gram kernel have in common: parameters, buffers, and how panels are read.

struct Params {
  row_length: u32,     // numbers of a packed row that are bound
  segment_count: u32,
  pair_count: u32,
  row_panels: u32,
  column_panels: u32,
  tile_row: u32,       // panel of rows at the tile's top
  tile_column: u32,    // panel of columns at its left
  tile_panels: u32,    // panels in a line of it
  continues: u32,      // 1: adds to what earlier slices of the rows have left in the tile
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> columns: array<vec4f>;
@group(0) @binding(3) var<storage, read> segments: array<vec4u>;  // parts: offset, length, 1 where a sum begins, how it ends
@group(0) @binding(4) var<storage, read> pairs: array<vec2u>;     // panel of rows, panel of columns; or pairs of panels, where they are wide
@group(0) @binding(5) var<storage, read_write> tile: array<vec4f>;

fn load_rows(panel: u32, k: u32, quad: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + quad];
}

fn load_columns(panel: u32, k: u32, quad: u32) -> vec4f {
  return columns[(panel * params.row_length + k) * 16u + quad];
}
