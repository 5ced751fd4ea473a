/**
 * Adapters: the request for one, its description, and its device with the largest limits.
 *
 * @module
 */
import { NoAdapterError } from "../errors.ts";
import { chooseBackend, readChoosers, splitAdapterName } from "./drivers.ts";

/** Request that the system answered with an adapter. */
export interface AdapterRequest {
  /** Preference in WebGPU's words: high performance means a card before an integrated GPU. */
  readonly powerPreference: GPUPowerPreference;
  /** Variables that choose among interfaces, drivers and cards, as far as they are set. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The adapter as its driver names it. */
export interface AdapterDescription {
  /** The device's name, for example `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  /** The name without the width of a CPU driver's vectors, which changes no number: what is computed by one may go on by the other. */
  readonly identity: string;
  /** The maker's name or number. */
  readonly vendor: string;
  /** The interface under WebGPU: vulkan, metal, ... */
  readonly backend: string;
  /** Request that the adapter answers. */
  readonly asked: AdapterRequest;
  /** Names of WebGPU's features, in order. */
  readonly features: readonly string[];
  /** Invocations of a subgroup at least, 0 where the adapter does not say. */
  readonly subgroupMinSize: number;
  /** At most. */
  readonly subgroupMaxSize: number;
  /** Whether it computes on the CPU, in the process's own memory. */
  readonly isFallback: boolean;
}

/** Adapters that compute on the CPU, where the driver does not say so itself. */
const CPU_ADAPTERS = /\b(llvmpipe|lavapipe|SwiftShader|Microsoft Basic Render)/i;

/** What an adapter says of itself; what it leaves out is told from the rest. */
export function describeAdapter(
  info: Partial<Omit<GPUAdapterInfo, "__brand">>,
  features: readonly string[],
): Omit<AdapterDescription, "backend" | "asked"> {
  const { description, device, vendor = "", isFallbackAdapter = false } = info;
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = info;
  const name = description || device || vendor;
  const isFallback = isFallbackAdapter || CPU_ADAPTERS.test(name);
  const { identity } = splitAdapterName(name);
  return { name, identity, vendor, features, subgroupMinSize, subgroupMaxSize, isFallback };
}

/** Limits that kernels profit from; each is raised to what the adapter has. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
  "maxTextureDimension2D",
  "maxTextureArrayLayers",
] as const;

/** Features that kernels profit from; each is asked for where the adapter has it. */
const WANTED_FEATURES = ["timestamp-query", "shader-f16"] as const;

const NEED_ADAPTER = "need a Vulkan, Metal or DirectX 12 driver. " +
  "On Debian or Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1 (a CPU driver) or your card's driver package; " +
  "on Fedora: dnf install mesa-vulkan-drivers vulkan-loader; on macOS and Windows: update the system's graphics driver";

/** Preference that WebGPU is asked for. */
const POWER_PREFERENCE = "high-performance";

/**
 * Finds the system's preferred adapter.
 *
 * @param prepare sets what drivers read in the environment before an adapter is asked for
 * @throws {NoAdapterError} if there is none; the message names the packages to install.
 */
export async function findAdapter(prepare: () => void | Promise<void>): Promise<{
  readonly adapter: GPUAdapter;
  readonly description: AdapterDescription;
}> {
  const backend = chooseBackend();
  await prepare();
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: POWER_PREFERENCE });
  const asked: AdapterRequest = {
    powerPreference: POWER_PREFERENCE,
    environment: readChoosers(),
  };
  if (!adapter) {
    const set = Object.entries(asked.environment).map((entry) => entry.join("=")).join(" ");
    throw new NoAdapterError(
      `Cannot open a GPU: got no WebGPU adapter${set && ` with ${set}`}, ${NEED_ADAPTER}`,
    );
  }
  const description = describeAdapter(adapter.info, [...adapter.features].sort());
  return { adapter, description: { ...description, backend, asked } };
}

/** Limits and features that a device is to do without, as if its adapter had less. */
export interface LoweredDevice {
  /** Limits by name, none below WebGPU's default, which every device has. Default: the adapter's. */
  readonly limits?: Readonly<Partial<Record<keyof GPUSupportedLimits, number>>>;
  /** Features that are not asked for. Default: none. */
  readonly without?: readonly GPUFeatureName[];
}

/** Requests an adapter's device, with the largest limits that it has. */
export async function requestDevice(
  adapter: GPUAdapter,
  { limits, without = [] }: LoweredDevice = {},
): Promise<GPUDevice> {
  const raised = Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]]));
  const requiredLimits = { ...raised, ...limits };
  const available = WANTED_FEATURES.filter((name) => adapter.features.has(name));
  const request = (features: GPUFeatureName[]) => {
    const requiredFeatures = features.filter((name) => !without.includes(name));
    return adapter.requestDevice({ label: "lpntk", requiredLimits, requiredFeatures });
  };
  // Deno grants subgroups without listing them
  return await request([...available, "subgroups"]).catch(() => request(available));
}
