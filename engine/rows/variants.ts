/**
 * Variants of the Gram kernel: the same numbers to the last bit, at speeds that differ from adapter to adapter.
 *
 * @module
 */
import type { AdapterDescription } from "../gpu/adapter.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import type { OperandStorage } from "../gpu/panels.ts";
import { type RowLayout, sliceRow } from "./layout.ts";
import type { BindingLimits } from "./blocks.ts";

/** One way to multiply packed rows. */
export interface GramVariant {
  readonly name: string;
  readonly kernel: typeof kernels.gram_tile;
  /** Where it reads rows from. */
  readonly operands: OperandStorage;
  /** Panels on each side of what it calls a pair. */
  readonly side: 1 | 2;
  /** Invocations of a subgroup that pass one another rows, the most that there are; 1: none do. */
  readonly lanes: 1 | 8 | 16;
}

/** The subgroup variant where so many lanes pass one another rows, so many lines at a time. */
function shareRows(lanes: 8 | 16, lines: number): Omit<GramVariant, "operands"> {
  return {
    name: `subgroup-${lanes}x${lines}`,
    kernel: kernels.gram_tile_subgroup.shape({
      constants: { LANES: lanes, K_STEP: lines },
    }),
    side: 1,
    lanes,
  };
}

const KERNELS: readonly Omit<GramVariant, "operands">[] = [
  { name: "plain", kernel: kernels.gram_tile, side: 1, lanes: 1 },
  shareRows(8, 8),
  shareRows(8, 2),
  shareRows(16, 8),
  shareRows(16, 2),
  { name: "shared", kernel: kernels.gram_tile_shared, side: 2, lanes: 1 },
];

/** Every variant; the first runs everywhere. */
export const VARIANTS: readonly GramVariant[] = (["buffer", "texture"] as const).flatMap(
  (operands) =>
    KERNELS.map((kernel) => ({ ...kernel, name: `${kernel.name}-${operands}`, operands })),
);

/** The variant that runs everywhere. */
export const PLAIN_VARIANT: GramVariant = VARIANTS[0];

/** Invocations of a workgroup, and bytes that they share, in `gram_tile_shared`. */
const SHARED_INVOCATIONS = 256;
const SHARED_BYTES = 8192;

/**
 * Numbers of a row in one launch at most: lavapipe silently ends all loops of an invocation after 65,535 steps together, and a kernel takes
 * a step for each number of a row.
 */
const LAUNCH_LENGTH = 65_000;

/** What is asked of a device. */
export interface DeviceDescription {
  readonly adapter: Pick<AdapterDescription, "subgroupMinSize" | "subgroupMaxSize">;
  readonly device: {
    readonly limits: Omit<GPUSupportedLimits, "__brand">;
    readonly features: { has(name: string): boolean };
  };
}

/** What a device can bind of packed rows that stand in buffers or textures. */
export function measureBinding(
  { device: { limits } }: DeviceDescription,
  operands: OperandStorage,
): BindingLimits {
  const isTexture = operands === "texture";
  return {
    bytes: limits.maxStorageBufferBindingSize,
    lines: isTexture ? Math.min(limits.maxTextureDimension2D, LAUNCH_LENGTH) : LAUNCH_LENGTH,
    panels: isTexture ? limits.maxTextureArrayLayers : Infinity,
  };
}

/**
 * Whether a device can run a variant on packed rows, and should: where subgroups may be wider than its lanes, a broadcast would come from
 * another lane's place (8 lanes), or a GPU would leave lanes idle (16).
 */
export function canRun(gpu: DeviceDescription, variant: GramVariant, layout: RowLayout): boolean {
  const { limits, features } = gpu.device;
  const { lines } = measureBinding(gpu, variant.operands);
  if (sliceRow(layout, 1).some((entry) => entry.lines > lines)) return false;
  if (variant.lanes > 1) {
    const { subgroupMinSize, subgroupMaxSize } = gpu.adapter;
    return features.has("subgroups") && subgroupMinSize === variant.lanes &&
      subgroupMaxSize === variant.lanes;
  }
  if (variant.kernel === kernels.gram_tile_shared) {
    return limits.maxComputeInvocationsPerWorkgroup >= SHARED_INVOCATIONS &&
      limits.maxComputeWorkgroupSizeX >= SHARED_INVOCATIONS &&
      limits.maxComputeWorkgroupStorageSize >= SHARED_BYTES;
  }
  return true;
}
