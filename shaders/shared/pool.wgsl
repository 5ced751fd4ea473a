// Parameters, tile and window reads that max pooling and its gradient share.

struct Params {
  sample_count: i32,
  in_height: i32,
  in_width: i32,
  channels: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@if(inputs_as_vec4) @group(0) @binding(1) var<storage, read> inputs: array<vec4f>;
@else @group(0) @binding(1) var<storage, read> inputs: array<f32>;

// The host sets these for each layer.
const SIZE = 2;       // rows and columns of a window
const CHANNELS = 8;   // channels that an invocation computes

const ROW = SIZE * CHANNELS;       // elements of a window's row
const VECTORS = (ROW + 3) / 4;     // vec4s of it

// Offset of element k of a window's row [SIZE, CHANNELS] from its first.
fn locate(k: i32) -> i32 {
  return k / CHANNELS * params.channels + k % CHANNELS;
}

// Reads a window's row whose first element is at `first`.
@if(inputs_as_vec4) fn read_inputs(first: i32) -> array<f32, ROW> {
  var row: array<f32, ROW>;
  for (var v = 0u; v < VECTORS; v++) { // unroll
    let vector = vec4f(inputs[(first + locate(i32(v * 4u))) / 4]);
    for (var i = 0u; i < 4u; i++) { // unroll
      row[v * 4u + i] = vector[i];
    }
  }
  return row;
}
@else fn read_inputs(first: i32) -> array<f32, ROW> {
  var row: array<f32, ROW>;
  for (var k = 0u; k < ROW; k++) { // unroll
    row[k] = inputs[first + locate(i32(k))];
  }
  return row;
}
