/**
 * Naive versions of the kernels, by the stem of the kernel that each computes: one invocation for each element, plain loops.
 *
 * @module
 */
import { Kernel } from "../../engine/gpu/kernel.ts";
import convolution from "./convolution_naive.wgsl" with { type: "text" };
import filterGradient from "./filter_gradient_naive.wgsl" with { type: "text" };
import gram from "./gram_naive.wgsl" with { type: "text" };
import inputGradient from "./input_gradient_naive.wgsl" with { type: "text" };
import projectFactored from "./project_factored_naive.wgsl" with { type: "text" };

const geometry = {
  in_height: "u32",
  in_width: "u32",
  in_channels: "u32",
  out_height: "u32",
  out_width: "u32",
  out_channels: "u32",
  kernel_height: "u32",
  kernel_width: "u32",
  stride: "u32",
  pad: "u32",
} as const;

const rows = { row_count: "u32", row_length: "u32", segment_count: "u32" } as const;

/** The naive kernels. */
export const naive = {
  convolution: new Kernel("convolution_naive", convolution, {
    params: { sample_count: "u32", ...geometry },
    buffers: { inputs: "read", filters: "read", outputs: "read_write" },
  }),
  input_gradient: new Kernel("input_gradient_naive", inputGradient, {
    params: { sample_count: "u32", ...geometry },
    buffers: { deltas: "read", filters: "read", gradients: "read_write" },
  }),
  filter_gradient: new Kernel("filter_gradient_naive", filterGradient, {
    params: { sample_count: "u32", group_samples: "u32", ...geometry },
    buffers: { inputs: "read", deltas: "read", gradients: "read_write" },
  }),
  project_factored: new Kernel("project_factored_naive", projectFactored, {
    params: { sample_count: "u32", length: "u32" },
    buffers: { values: "read", rows: "read_write" },
  }),
  gram: new Kernel("gram_naive", gram, {
    params: rows,
    buffers: { rows: "read", segments: "read", gram: "read_write" },
  }),
};
