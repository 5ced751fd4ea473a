/**
 * Signatures of the functions of single elements and of pooling: what each of their arguments may be.
 *
 * @module
 */
import type { OtherNames } from "../options.ts";
import {
  anyTensor,
  flag,
  images,
  number,
  optional,
  options,
  perAxis,
  type Signature,
} from "./checks.ts";

const DILATION = "dilated windows are not supported";

const PYTORCH_POOL: OtherNames = {
  renamed: {
    padding: "pad",
    pads: "pad",
    strides: "stride",
    ceil_mode: "ceil",
    ceilMode: "ceil",
    count_include_pad: "countPad",
    countIncludePad: "countPad",
  },
  refused: {
    kernel_size: "it is the second argument, size",
    kernelSize: "it is the second argument, size",
    size: "it is the second argument",
    dilation: DILATION,
    dilations: DILATION,
    return_indices: "only the maxima are returned",
    divisor_override: "a mean is divided by its number of pixels",
  },
};

const POOL = {
  stride: optional(perAxis(1, 1024)),
  pad: optional(perAxis(0, 1023, ["top", "right", "bottom", "left"])),
  ceil: optional(flag),
};

const windowSize = perAxis(1, 1024);

const finite = number(Number.isFinite, "a finite number");

const POINTWISE: Signature = { parameters: { x: anyTensor } };

/** Largest exponent of a power: beyond it float32 keeps few digits. */
const MAX_EXPONENT = 64;

export const OPERATION_SIGNATURES = {
  relu: POINTWISE,
  tanh: POINTWISE,
  gelu: { parameters: { x: anyTensor }, surplus: "; it is exact, never approximated by tanh" },
  sigmoid: POINTWISE,
  silu: POINTWISE,
  softplus: { parameters: { x: anyTensor }, surplus: "; beta is 1, and there is no threshold" },
  hardSwish: POINTWISE,
  hardSigmoid: POINTWISE,
  relu6: POINTWISE,
  erf: POINTWISE,
  leakyRelu: { parameters: { x: anyTensor, slope: optional(finite) } },
  elu: { parameters: { x: anyTensor, alpha: optional(finite) } },
  exp: POINTWISE,
  log: POINTWISE,
  sqrt: POINTWISE,
  square: POINTWISE,
  negate: POINTWISE,
  absolute: POINTWISE,
  reciprocal: POINTWISE,
  power: {
    parameters: {
      x: anyTensor,
      exponent: number(
        (value) => Math.abs(value) <= MAX_EXPONENT,
        `a number from -${MAX_EXPONENT} to ${MAX_EXPONENT}`,
      ),
    },
  },
  clip: {
    parameters: {
      x: anyTensor,
      least: number((value) => !Number.isNaN(value), "a number"),
      most: number((value) => !Number.isNaN(value), "a number"),
    },
  },
  maxPool: {
    parameters: { x: images, size: windowSize, options: optional(options(POOL, PYTORCH_POOL)) },
  },
  averagePool: {
    parameters: {
      x: images,
      size: windowSize,
      options: optional(options({ ...POOL, countPad: optional(flag) }, PYTORCH_POOL)),
    },
  },
  adaptiveAveragePool: { parameters: { x: images, size: windowSize } },
} satisfies Record<string, Signature>;
