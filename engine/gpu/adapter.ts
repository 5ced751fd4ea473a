/**
 * Adapters: the request for one, its description, and its device with the largest limits.
 *
 * @module
 */
import { NoAdapterError } from "../errors.ts";
import { chooseBackend, readChoosers, splitAdapterName } from "./drivers.ts";

/** Request by which an adapter was found. */
export interface AdapterRequest {
  /** WebGPU's power preference: `high-performance` prefers a discrete GPU to an integrated one. */
  readonly powerPreference: GPUPowerPreference;
  /** Environment variables that choose the graphics API, the driver or the GPU, as far as they are set. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Description of an adapter, as its driver gives it. */
export interface AdapterDescription {
  /** Name of the device, for example `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  /** Name without the vector width of a CPU driver, which changes no result: a job begun with one width may be resumed with another. */
  readonly identity: string;
  /** Name or number of the vendor. */
  readonly vendor: string;
  /** Graphics API under WebGPU: vulkan, metal, ... */
  readonly backend: string;
  /** Request by which the adapter was found. */
  readonly asked: AdapterRequest;
  /** Names of the adapter's WebGPU features, sorted. */
  readonly features: readonly string[];
  /** Smallest subgroup size, 0 where the adapter does not say. */
  readonly subgroupMinSize: number;
  /** Largest subgroup size, 0 where the adapter does not say. */
  readonly subgroupMaxSize: number;
  /** Whether the adapter computes on the CPU, in the process's own memory. */
  readonly isFallback: boolean;
}

/** Names of adapters that compute on the CPU, for drivers that do not say so themselves. */
const CPU_ADAPTERS = /\b(llvmpipe|lavapipe|SwiftShader|Microsoft Basic Render)/i;

/** Describes an adapter by its own information; a missing name is filled in from other fields, and CPU adapters are also told by name. */
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

/** Limits that kernels profit from; each is raised to the adapter's. */
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

/** Features that kernels profit from; each is requested where the adapter has it. */
const WANTED_FEATURES = ["timestamp-query", "shader-f16"] as const;

const NEED_ADAPTER = "need a Vulkan, Metal or DirectX 12 driver. " +
  "On Debian or Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1 (a CPU driver) or your card's driver package; " +
  "on Fedora: dnf install mesa-vulkan-drivers vulkan-loader; on macOS and Windows: update the system's graphics driver";

/** Power preference of the request. */
const POWER_PREFERENCE = "high-performance";

/**
 * Finds the system's preferred adapter.
 *
 * @param prepare sets environment variables that drivers read, before the adapter is requested
 * @throws {NoAdapterError} if there is no adapter; the message names the packages to install.
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

/** Lower limits and fewer features for a device than its adapter has. */
export interface LoweredDevice {
  /** Limits by name, each at least WebGPU's default, which every device has. Default: the adapter's. */
  readonly limits?: Readonly<Partial<Record<keyof GPUSupportedLimits, number>>>;
  /** Features that are not requested. Default: none. */
  readonly without?: readonly GPUFeatureName[];
}

/** Requests a device of an adapter, by default with the largest limits and all features of the adapter that kernels profit from. */
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
