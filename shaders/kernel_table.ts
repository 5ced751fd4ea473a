/**
 * Every kernel by its stem: the shader's file, the parameters and buffers it declares. A test holds this table against the shaders.
 *
 * @module
 */
import convolution from "./convolution.wgsl" with { type: "text" };
import crossEntropy from "./cross_entropy.wgsl" with { type: "text" };
import crossEntropyGradient from "./cross_entropy_gradient.wgsl" with { type: "text" };
import filterGradient from "./filter_gradient.wgsl" with { type: "text" };
import fpcAssign from "./fpc_assign.wgsl" with { type: "text" };
import fpcGather from "./fpc_gather.wgsl" with { type: "text" };
import fpcSelect from "./fpc_select.wgsl" with { type: "text" };
import gelu from "./gelu.wgsl" with { type: "text" };
import gramTile from "./gram_tile.wgsl" with { type: "text" };
import gramTileShared from "./gram_tile_shared.wgsl" with { type: "text" };
import gramTileSubgroup from "./gram_tile_subgroup.wgsl" with { type: "text" };
import maxPool from "./max_pool.wgsl" with { type: "text" };
import maxPoolGradient from "./max_pool_gradient.wgsl" with { type: "text" };
import momentumStep from "./momentum_step.wgsl" with { type: "text" };
import packFilter from "./pack_filter.wgsl" with { type: "text" };
import projectFactored from "./project_factored.wgsl" with { type: "text" };
import projectPatches from "./project_patches.wgsl" with { type: "text" };
import relu from "./relu.wgsl" with { type: "text" };
import reluGradient from "./relu_gradient.wgsl" with { type: "text" };
import selfSimilarity from "./self_similarity.wgsl" with { type: "text" };
import sumGroups from "./sum_groups.wgsl" with { type: "text" };
import sumPositions from "./sum_positions.wgsl" with { type: "text" };
import sumProducts from "./sum_products.wgsl" with { type: "text" };
import tanh from "./tanh.wgsl" with { type: "text" };
import tileDiagonal from "./tile_diagonal.wgsl" with { type: "text" };
import tileMaximum from "./tile_maximum.wgsl" with { type: "text" };
import tileNearest from "./tile_nearest.wgsl" with { type: "text" };
import tileRelations from "./tile_relations.wgsl" with { type: "text" };
import { Kernel } from "../engine/gpu/kernel.ts";

const image = {
  in_height: "i32",
  in_width: "i32",
  in_channels: "i32",
  out_height: "i32",
  out_width: "i32",
  out_channels: "i32",
} as const;

const window = {
  sample_count: "i32",
  in_height: "i32",
  in_width: "i32",
  channels: "i32",
} as const;

/** What the variants of the Gram kernel have in common. */
const gram = {
  params: {
    row_length: "u32",
    segment_count: "u32",
    pair_count: "u32",
    row_panels: "u32",
    column_panels: "u32",
    tile_row: "u32",
    tile_column: "u32",
    tile_panels: "u32",
    continues: "u32",
  },
  buffers: {
    rows: "panels",
    columns: "panels",
    segments: "read",
    pairs: "read",
    tile: "read_write",
  },
} as const;

/** What the activations have in common that compute their gradient by another constant. */
const smooth = {
  params: { count: "u32" },
  buffers: { inputs: "read", deltas: "read", outputs: "read_write" },
} as const;

/** Where a tile stands in the matrix. */
const place = {
  first_row: "u32",
  row_count: "u32",
  first_column: "u32",
  column_count: "u32",
} as const;

/** The kernels, by stem. */
export const kernels = {
  convolution: new Kernel("convolution", convolution, {
    params: {
      sample_count: "i32",
      ...image,
      kernel_height: "i32",
      kernel_width: "i32",
      pad_top: "i32",
      pad_left: "i32",
      step: "i32",
      first_row: "i32",
      first_column: "i32",
      has_bias: "i32",
    },
    buffers: { inputs: "r32float", filters: "rgba32float", outputs: "read_write" },
  }),
  pack_filter: new Kernel("pack_filter", packFilter, {
    params: {
      kernel_height: "u32",
      kernel_width: "u32",
      in_channels: "u32",
      out_channels: "u32",
      rows: "u32",
      columns: "u32",
      step: "u32",
      first_row: "u32",
      first_column: "u32",
      has_bias: "u32",
      transposed: "u32",
    },
    buffers: { filters: "r32float", bias: "r32float", packed: "read_write" },
  }),
  filter_gradient: new Kernel("filter_gradient", filterGradient, {
    params: {
      sample_count: "i32",
      group_count: "i32",
      group_samples: "i32",
      first_group: "i32",
      ...image,
      kernel_height: "i32",
      kernel_width: "i32",
      first: "i32",
      end: "i32",
      pad: "i32",
      row_part: "i32",
      together: "i32",
      panel_stride: "i32",
      group_stride: "i32",
      number_stride: "i32",
      offset: "i32",
    },
    buffers: { inputs: "r32float", deltas: "r32float", gradients: "read_write" },
  }),
  sum_groups: new Kernel("sum_groups", sumGroups, {
    params: { group_count: "u32", group_size: "u32", first: "u32", count: "u32" },
    buffers: { groups: "r32float", sums: "read_write" },
  }),
  sum_products: new Kernel("sum_products", sumProducts, {
    params: { sample_count: "u32", places: "u32", channels: "u32" },
    buffers: { left: "r32float", right: "r32float", sums: "read_write" },
  }),
  max_pool: new Kernel("max_pool", maxPool, {
    params: window,
    buffers: { inputs: "read", outputs: "read_write" },
  }),
  max_pool_gradient: new Kernel("max_pool_gradient", maxPoolGradient, {
    params: window,
    buffers: { inputs: "read", deltas: "read", gradients: "read_write" },
  }),
  relu: new Kernel("relu", relu, {
    params: { count: "u32" },
    buffers: { inputs: "read", outputs: "read_write" },
  }),
  relu_gradient: new Kernel("relu_gradient", reluGradient, {
    params: { count: "u32" },
    buffers: { outputs: "read", deltas: "read", gradients: "read_write" },
  }),
  tanh: new Kernel("tanh", tanh, smooth),
  gelu: new Kernel("gelu", gelu, smooth),
  cross_entropy: new Kernel("cross_entropy", crossEntropy, {
    params: { sample_count: "u32", classes: "u32" },
    buffers: { logits: "r32float", labels: "r32float", losses: "read_write" },
  }),
  cross_entropy_gradient: new Kernel("cross_entropy_gradient", crossEntropyGradient, {
    params: { sample_count: "u32", classes: "u32" },
    buffers: {
      logits: "r32float",
      labels: "r32float",
      deltas: "r32float",
      gradients: "read_write",
    },
  }),
  momentum_step: new Kernel("momentum_step", momentumStep, {
    params: { count: "u32", learning_rate: "f32", momentum: "f32", weight_decay: "f32" },
    buffers: { gradients: "read", weights: "read_write", velocities: "read_write" },
  }),
  project_factored: new Kernel("project_factored", projectFactored, {
    params: {
      sample_count: "u32",
      length: "u32",
      bias: "u32",
      first_row: "u32",
      row_length: "u32",
      offset: "u32",
    },
    buffers: { values: "r32float", rows: "read_write" },
  }),
  project_patches: new Kernel("project_patches", projectPatches, {
    params: {
      sample_count: "i32",
      first_sample: "i32",
      ...image,
      kernel_width: "i32",
      tap_count: "i32",
      bias: "i32",
      stride: "i32",
      pad: "i32",
      row_length: "i32",
      offset: "i32",
    },
    buffers: { inputs: "read", rows: "read_write" },
  }),
  gram_tile: new Kernel("gram_tile", gramTile, gram),
  gram_tile_shared: new Kernel("gram_tile_shared", gramTileShared, gram),
  gram_tile_subgroup: new Kernel("gram_tile_subgroup", gramTileSubgroup, gram),
  sum_positions: new Kernel("sum_positions", sumPositions, {
    params: {
      pair_count: "u32",
      positions: "u32",
      product_row: "u32",
      product_column: "u32",
      product_panels: "u32",
      tile_row: "u32",
      tile_column: "u32",
      tile_panels: "u32",
      continues: "u32",
    },
    buffers: { products: "read", pairs: "read", tile: "read_write" },
  }),
  self_similarity: new Kernel("self_similarity", selfSimilarity, {
    params: {
      row_length: "u32",
      segment_count: "u32",
      panel_count: "u32",
      first_row: "u32",
      continues: "u32",
    },
    buffers: { rows: "panels", segments: "read", similarity: "read_write" },
  }),
  tile_diagonal: new Kernel("tile_diagonal", tileDiagonal, {
    params: { tile_panels: "u32", count: "u32", first: "u32", continues: "u32" },
    buffers: { tile: "read", similarity: "read_write" },
  }),
  fpc_gather: new Kernel("fpc_gather", fpcGather, {
    params: { row_length: "u32", group_count: "u32", first_row: "u32", row_count: "u32" },
    buffers: { rows: "panels", newest: "read", centroids: "read_write" },
  }),
  fpc_assign: new Kernel("fpc_assign", fpcAssign, {
    params: {
      row_length: "u32",
      segment_count: "u32",
      group_count: "u32",
      first_row: "u32",
      row_count: "u32",
      step: "u32",
      continues: "u32",
      ends: "u32",
    },
    buffers: {
      rows: "panels",
      segments: "read",
      centroids: "rgba32float",
      newest: "read",
      group_of: "read",
      best: "read_write",
      cluster: "read_write",
      similarity: "read_write",
    },
  }),
  fpc_select: new Kernel("fpc_select", fpcSelect, {
    params: { sample_count: "u32", step: "u32", step_limit: "u32", group_count: "u32" },
    buffers: {
      group_of: "read",
      centroid_counts: "read",
      best: "read_write",
      cluster: "read_write",
      newest: "read_write",
      chosen: "read_write",
    },
  }),
  tile_maximum: new Kernel("tile_maximum", tileMaximum, {
    params: { pair_count: "u32", column_panels: "u32", ...place, later: "u32" },
    buffers: { tile: "read", pairs: "read", maximum: "read_write" },
  }),
  tile_relations: new Kernel("tile_relations", tileRelations, {
    params: {
      pair_count: "u32",
      column_panels: "u32",
      ...place,
      slot: "u32",
      threshold: "f32",
      epsilon: "f32",
    },
    buffers: { tile: "read", pairs: "read", similarity: "read", counts: "read_write" },
  }),
  tile_nearest: new Kernel("tile_nearest", tileNearest, {
    params: { column_panels: "u32", ...place, by_column: "u32", nearest_count: "u32" },
    buffers: { tile: "read", nearest: "read_write", similarity: "read_write" },
  }),
};
