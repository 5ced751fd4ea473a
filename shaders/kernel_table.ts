/**
 * Table of all kernels: each has its shader's text, the parameters and buffers that the shader declares, and the buffers that a launch may read
 * from textures instead.
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
import pointwise from "./pointwise.wgsl" with { type: "text" };
import pool from "./pool.wgsl" with { type: "text" };
import poolGradient from "./pool_gradient.wgsl" with { type: "text" };
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
import sharedElement from "./shared/element.wgsl" with { type: "text" };
import sharedGram from "./shared/gram.wgsl" with { type: "text" };
import sharedLogits from "./shared/logits.wgsl" with { type: "text" };
import sharedParts from "./shared/parts.wgsl" with { type: "text" };
import sharedPool from "./shared/pool.wgsl" with { type: "text" };
import sharedSmooth from "./shared/smooth.wgsl" with { type: "text" };
import sharedWindow from "./shared/window.wgsl" with { type: "text" };
import sharedWindows from "./shared/windows.wgsl" with { type: "text" };
import { type Access, Kernel, type KernelDeclaration } from "../engine/gpu/kernel.ts";
import { declarations } from "./declarations.ts";

/** Files that shaders may import from. */
const shared = {
  "shared/element.wgsl": sharedElement,
  "shared/gram.wgsl": sharedGram,
  "shared/logits.wgsl": sharedLogits,
  "shared/parts.wgsl": sharedParts,
  "shared/pool.wgsl": sharedPool,
  "shared/smooth.wgsl": sharedSmooth,
  "shared/window.wgsl": sharedWindow,
  "shared/windows.wgsl": sharedWindows,
};

type Declarations = typeof declarations;
type ParamsOf<N extends keyof Declarations> = keyof Declarations[N]["params"] & string;
type BuffersOf<N extends keyof Declarations> = keyof Declarations[N]["buffers"] & string;

/** Builds a kernel from its shader's declarations; `reads` names the buffers that launches may read from textures. */
function define<N extends keyof Declarations>(
  name: N,
  source: string,
  reads: Partial<Record<BuffersOf<N>, Exclude<Access, "read" | "read_write">>> = {},
): Kernel<ParamsOf<N>, BuffersOf<N>> {
  const { params, buffers } = declarations[name] as KernelDeclaration<ParamsOf<N>, BuffersOf<N>>;
  return new Kernel(name, source, { params, buffers: { ...buffers, ...reads }, shared });
}

/** The kernels, by stem. */
export const kernels: {
  readonly [N in keyof Declarations]: Kernel<ParamsOf<N>, BuffersOf<N>>;
} = {
  convolution: define("convolution", convolution, { inputs: "r32float", filters: "rgba32float" }),
  pack_filter: define("pack_filter", packFilter, { filters: "r32float", bias: "r32float" }),
  filter_gradient: define("filter_gradient", filterGradient, {
    inputs: "r32float",
    deltas: "r32float",
  }),
  sum_groups: define("sum_groups", sumGroups, { groups: "r32float" }),
  sum_products: define("sum_products", sumProducts, { left: "r32float", right: "r32float" }),
  max_pool: define("max_pool", maxPool),
  max_pool_gradient: define("max_pool_gradient", maxPoolGradient),
  pool: define("pool", pool),
  pool_gradient: define("pool_gradient", poolGradient),
  pointwise: define("pointwise", pointwise),
  relu: define("relu", relu),
  relu_gradient: define("relu_gradient", reluGradient),
  tanh: define("tanh", tanh),
  gelu: define("gelu", gelu),
  cross_entropy: define("cross_entropy", crossEntropy, { logits: "r32float", labels: "r32float" }),
  cross_entropy_gradient: define("cross_entropy_gradient", crossEntropyGradient, {
    logits: "r32float",
    labels: "r32float",
    deltas: "r32float",
  }),
  momentum_step: define("momentum_step", momentumStep),
  project_factored: define("project_factored", projectFactored, { values: "r32float" }),
  project_patches: define("project_patches", projectPatches),
  gram_tile: define("gram_tile", gramTile, { rows: "panels", columns: "panels" }),
  gram_tile_shared: define("gram_tile_shared", gramTileShared, {
    rows: "panels",
    columns: "panels",
  }),
  gram_tile_subgroup: define("gram_tile_subgroup", gramTileSubgroup, {
    rows: "panels",
    columns: "panels",
  }),
  sum_positions: define("sum_positions", sumPositions),
  self_similarity: define("self_similarity", selfSimilarity, { rows: "panels" }),
  tile_diagonal: define("tile_diagonal", tileDiagonal),
  fpc_gather: define("fpc_gather", fpcGather, { rows: "panels" }),
  fpc_assign: define("fpc_assign", fpcAssign, { rows: "panels", centroids: "rgba32float" }),
  fpc_select: define("fpc_select", fpcSelect),
  tile_maximum: define("tile_maximum", tileMaximum),
  tile_relations: define("tile_relations", tileRelations),
  tile_nearest: define("tile_nearest", tileNearest),
};
