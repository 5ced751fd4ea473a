// Tile and input reads that the convolutions share. An invocation takes POSITIONS neighbouring positions of an output row, and reads once the
// window of an input row that TAPS neighbouring columns of a filter see from there.

// The host sets these for each layer.
const POSITIONS = 8;
const STRIDE_Y = 1;
const STRIDE_X = 1;
const DILATION_Y = 1;    // input rows from one filter row to the next
const DILATION_X = 1;
const TAPS = 1;          // filter columns that a step takes
const CHANNELS = 1;      // input channels that a step takes for each output channel, at most 4
const OUTPUTS = 8;       // output channels that an invocation computes
const GROUPED = 0;       // 1: there are several groups of channels
const DEPTHWISE = 0;     // 1: output channel o meets input channel o alone, and an invocation takes four of each, which are a group here

const WINDOW = (POSITIONS - 1) * STRIDE_X + (TAPS - 1) * DILATION_X + 1;   // columns of an input row

@if(inputs_as_vec4) @group(0) @binding(1) var<storage, read> inputs: array<vec4f>;
@else @group(0) @binding(1) var<storage, read> inputs: array<f32>;

// Inputs of four neighbouring channels, of which the first CHANNELS are used, or all where the convolution is depthwise.
@if(inputs_as_vec4) fn read_inputs(at0: i32) -> vec4f {
  let vector = at0 / 4;
  return vec4f(inputs[vector]);
}
@else fn read_inputs(at0: i32) -> vec4f {
  let at1 = at0 + 1;
  let at2 = at0 + 2;
  let at3 = at0 + 3;
  return vec4f(inputs[at0], inputs[at1], inputs[at2], inputs[at3]);
}
