// Hyperbolic tangent: outputs[i] = tanh(inputs[i]), or where IS_GRADIENT is 1 its gradient, outputs[i] = deltas[i] / cosh(inputs[i])^2.
//
// Both are off by less than 1e-6 of themselves wherever they are normal numbers. WGSL does not promise that of its own tanh and exp. The
// gradient is made from the input: of an output that rounds to 1 nothing is left to subtract from 1.
//
// One invocation computes 4 numbers, or 4 times four of them where the host sets Numbers so, a workgroup's apart: neighbours read side by side.
// Dispatch: ceil(count / 256) workgroups.
// Layout: inputs, deltas and outputs [count] Numbers. Deltas are read by the gradient alone.
// Tails: invocations beyond the last number do nothing.
// Float64 twin: engine/reference/layers.ts, tanhForward and tanhGradient.

struct Params {
  count: u32,
}

// Whether the gradient is computed: 0 or 1.
const IS_GRADIENT = 0;

// What is read and written at once: vec4f and vec4i, where what there is is a multiple of four numbers.
alias Numbers = f32;
alias Integers = i32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<Numbers>;
@group(0) @binding(2) var<storage, read> deltas: array<Numbers>;
@group(0) @binding(3) var<storage, read_write> outputs: array<Numbers>;

// exp(x) for x from -88 to 0, and 0 where that is no normal number
fn exponential(x: Numbers) -> Numbers {
  let power = Integers(round(x * 1.442695));
  // less power ln 2, in two parts: the first, 355 / 512, is so short that its product is exact, and of integers, so that no compiler
  // puts the two together again
  let rest = (x - Numbers(power * 355) * 0.001953125) + Numbers(power) * 2.1219444e-4;
  let series = (((1.3765022e-3 * rest + 8.39286e-3) * rest + 0.04167152) * rest + 0.16666254) * rest + 0.4999997;
  let scale = bitcast<Numbers>((power + 127) * 8388608);
  return (1.0 + (rest + rest * rest * series)) * scale;
}

// exp(-2 |x|)
fn decay(x: Numbers) -> Numbers {
  let exponent = -2.0 * abs(x);
  // not max: a NaN stays one
  return exponential(select(exponent, Numbers(-88.0), exponent < Numbers(-88.0)));
}

fn compute_tanh(x: Numbers) -> Numbers {
  let square = x * x;
  let series = (((-5.7170405e-3 * square + 0.020650582) * square - 0.053743497) * square + 0.1333149) * square - 0.33333284;
  let near = x + x * square * series;
  let e = decay(x);
  let far = (1.0 - e) / (1.0 + e);
  return select(near, select(far, -far, x < Numbers()), abs(x) >= Numbers(0.625));
}

fn compute_slope(x: Numbers) -> Numbers {
  let e = decay(x);
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.x + group.y * groups.x) * 256u + lane;
  for (var j = 0u; j < 4u; j++) { // unroll
    let at = first + j * 64u;
    if at < params.count {
      if IS_GRADIENT == 1 {
        outputs[at] = deltas[at] * compute_slope(inputs[at]);
      } else {
        outputs[at] = compute_tanh(inputs[at]);
      }
    }
  }
}
