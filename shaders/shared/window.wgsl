// What the convolutions have in common: their tile, and how they read the input. An invocation takes POSITIONS neighbouring positions of an
// output's row, and reads the window of the input that TAPS neighbouring columns of a filter see from there once.

// The host sets these to what suits a layer.
const POSITIONS = 8;
const STRIDE = 1;
const TAPS = 1;
const CHANNELS = 1;      // of the input that a step takes, at most 4
const OUTPUTS = 8;

const WINDOW = (POSITIONS - 1) * STRIDE + TAPS;

@if(inputs_by_quads) @group(0) @binding(1) var<storage, read> inputs: array<vec4f>;
@else @group(0) @binding(1) var<storage, read> inputs: array<f32>;

// Four neighbouring channels, of which the first CHANNELS are used.
@if(inputs_by_quads) fn read_inputs(at0: i32) -> vec4f {
  let quad = at0 / 4;
  return vec4f(inputs[quad]);
}
@else fn read_inputs(at0: i32) -> vec4f {
  let at1 = at0 + 1;
  let at2 = at0 + 2;
  let at3 = at0 + 3;
  return vec4f(inputs[at0], inputs[at1], inputs[at2], inputs[at3]);
}
