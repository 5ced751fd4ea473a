// What max pooling and its gradient have in common: parameters, their tile, and how a row of a window is read.

struct Params {
  sample_count: i32,
  in_height: i32,
  in_width: i32,
  channels: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@if(inputs_by_quads) @group(0) @binding(1) var<storage, read> inputs: array<vec4f>;
@else @group(0) @binding(1) var<storage, read> inputs: array<f32>;

// The host sets these to what suits a layer.
const SIZE = 2;
const CHANNELS = 8;

const ROW = SIZE * CHANNELS;   // numbers of a row
const QUADS = (ROW + 3) / 4;

// Where number k of a row stands behind its first: pixels, and the channels of each.
fn locate(k: i32) -> i32 {
  return k / CHANNELS * params.channels + k % CHANNELS;
}

@if(inputs_by_quads) fn read_inputs(first: i32) -> array<f32, ROW> {
  var row: array<f32, ROW>;
  for (var q = 0u; q < QUADS; q++) { // unroll
    let quad = vec4f(inputs[(first + locate(i32(q * 4u))) / 4]);
    for (var i = 0u; i < 4u; i++) { // unroll
      row[q * 4u + i] = quad[i];
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
