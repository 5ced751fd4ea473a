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

/** A variant of the Gram kernel. */
export interface GramVariant {
  readonly name: string;
  readonly kernel: typeof kernels.gram_tile;
  /** Storage that it reads rows from. */
  readonly operands: OperandStorage;
  /** Number of panels on each side of the square that an entry of its list of pairs stands for. */
  readonly side: 1 | 2;
  /** Number of lanes of a subgroup that broadcast row values to each other; 1: the variant uses no subgroups. */
  readonly lanes: 1 | 8 | 16;
}

/** Defines the subgroup variant in which `lanes` lanes broadcast row values to each other, for `lines` indices k at a time. */
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

/** Invocations of a workgroup, and bytes of workgroup memory, in `gram_tile_shared`. */
const SHARED_INVOCATIONS = 256;
const SHARED_BYTES = 8192;

/**
 * Largest number of steps that the loops of an invocation take in one launch: lavapipe silently ends all of them after 65,535 together. A
 * kernel on rows takes a step for each element.
 */
export const LAUNCH_STEPS = 65_000;

/** Properties of a device that decide which variants it can run. */
export interface DeviceDescription {
  readonly hasTextures: boolean;
  readonly adapter: Pick<AdapterDescription, "subgroupMinSize" | "subgroupMaxSize">;
  readonly device: {
    readonly limits: Omit<GPUSupportedLimits, "__brand">;
    readonly features: { has(name: string): boolean };
  };
}

/** Returns the largest binding of packed rows on a device, in buffers or in textures. */
export function measureBinding(
  { device: { limits } }: DeviceDescription,
  operands: OperandStorage,
): BindingLimits {
  const isTexture = operands === "texture";
  return {
    bytes: limits.maxStorageBufferBindingSize,
    lines: isTexture ? Math.min(limits.maxTextureDimension2D, LAUNCH_STEPS) : LAUNCH_STEPS,
    panels: isTexture ? limits.maxTextureArrayLayers : Infinity,
  };
}

/**
 * Returns whether a device can run a variant on packed rows, and should: where subgroups may be wider than the variant's lanes, a broadcast
 * would come from the wrong lane (8 lanes), or a GPU would leave lanes idle (16).
 */
export function canRun(gpu: DeviceDescription, variant: GramVariant, layout: RowLayout): boolean {
  const { limits, features } = gpu.device;
  if (variant.operands === "texture" && !gpu.hasTextures) return false;
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
