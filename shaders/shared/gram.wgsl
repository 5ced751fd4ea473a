// Parameters, buffers and panel reads that the variants of the Gram kernel share.

struct Params {
  row_length: u32,     // elements of a packed row that are bound
  segment_count: u32,
  pair_count: u32,
  row_panels: u32,
  column_panels: u32,
  tile_row: u32,       // first panel of rows in the tile
  tile_column: u32,    // first panel of columns in the tile
  tile_panels: u32,    // panels in a row of the tile
  continues: u32,      // 1: adds to what earlier slices of the rows have stored in the tile
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> columns: array<vec4f>;
@group(0) @binding(3) var<storage, read> segments: array<vec4u>;  // parts (parts.wgsl)
@group(0) @binding(4) var<storage, read> pairs: array<vec2u>;     // panel of rows, panel of columns; in gram_tile_shared pairs of panels
@group(0) @binding(5) var<storage, read_write> tile: array<vec4f>;

// Element k of rows 4 * vector to 4 * vector + 3 of a panel; load_columns does the same for columns.
fn load_rows(panel: u32, k: u32, vector: u32) -> vec4f {
  return rows[(panel * params.row_length + k) * 16u + vector];
}

fn load_columns(panel: u32, k: u32, vector: u32) -> vec4f {
  return columns[(panel * params.row_length + k) * 16u + vector];
}
