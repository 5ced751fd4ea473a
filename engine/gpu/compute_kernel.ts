/**
 * Kernels from anybody's WGSL: compiled with the mistakes named by their lines, and bound by the names that the shader declares.
 *
 * @module
 */
import { describeValue, findNearest } from "../options.ts";
import type { BoundGroup, Commands } from "./commands.ts";
import type { Gpu } from "./device.ts";
import { checkBuffer, DeviceBuffer } from "./device_buffer.ts";
import {
  type Binding,
  type BindingDescription,
  reflect,
  type Reflection,
  ReflectionError,
} from "../wgsl/reflection.ts";
import { makeChecked } from "./scopes.ts";
import { type UniformValue, writeUniform } from "./uniforms.ts";

/** A shader or pipeline that the device refuses, or that cannot be bound by its declarations. */
export class KernelError extends Error {
  static {
    this.prototype.name = "KernelError";
  }

  /** The message is a whole line; the cause is what the device reported. */
  constructor(
    /** The kernel's name. */
    readonly kernel: string,
    message: string,
    /** The line of the shader that is at fault, from 1; undefined where it is no single line's. */
    readonly line?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Buffers and values of uniforms that a launch gives a kernel, by the names of the shader's variables. */
export type Bindings = Readonly<Record<string, DeviceBuffer | UniformValue>>;

/** Workgroups along x, or along x, y and z. */
export type Workgroups = number | readonly [x: number, y?: number, z?: number];

/** A uniform, and its offset among those of a launch. */
type PlacedUniform = readonly [binding: Binding, offsetBytes: number];

/** A compiled kernel of one device. It needs no disposal: its device frees it. */
export class ComputeKernel {
  readonly #uniforms: readonly PlacedUniform[];
  /** Bytes of all uniforms of a launch. */
  readonly #uniformBytes: number;
  /** Buffers of the last launch, and the bind groups that hold them. */
  #last: { readonly buffers: readonly DeviceBuffer[]; readonly groups: readonly GPUBindGroup[] } = {
    buffers: [],
    groups: [],
  };

  /** Use `kernel` of a device. */
  constructor(
    /** Name in messages. */
    readonly name: string,
    private readonly gpu: Gpu,
    private readonly reflection: Reflection,
    private readonly pipeline: GPUComputePipeline,
    private readonly layouts: readonly GPUBindGroupLayout[],
  ) {
    const { uniforms, sizeBytes } = placeUniforms(gpu, reflection);
    this.#uniforms = uniforms;
    this.#uniformBytes = sizeBytes;
  }

  /** The function that a launch runs. */
  get entryPoint(): string {
    return this.reflection.entryPoint;
  }

  /** Variables of the shader that the entry point uses. */
  get bindings(): readonly BindingDescription[] {
    return this.reflection.bindings.map(({ layout: _, ...binding }) => binding);
  }

  /** Invocations of a workgroup along x, y and z. */
  get workgroupSize(): readonly [number, number, number] {
    return this.reflection.workgroupSize;
  }

  /**
   * Records one launch; `run` of a recording does.
   *
   * @internal
   * @throws {TypeError} if a binding is missing, unknown or of another kind; `RangeError` if a buffer is too small or too large, a number does
   * not fit, or the workgroups are more than the device launches; `DisposedError` if a buffer is disposed.
   */
  record(gpu: Gpu, commands: Commands, bindings: Bindings, workgroups: Workgroups): void {
    try {
      if (gpu !== this.gpu) throw new TypeError("got a kernel of another device, need this one's");
      const sizes = this.#checkWorkgroups(workgroups);
      const buffers = this.#checkBindings(bindings);
      const room = this.#uniformBytes > 0 ? commands.reserve(this.#uniformBytes) : undefined;
      for (const [{ name, layout }, at] of this.#uniforms) {
        writeUniform(room!.view, room!.at + at, layout, bindings[name], name);
      }
      if (sizes.includes(0)) return;
      const groups = this.#group(buffers, room?.buffer).map((group, index): BoundGroup => ({
        group,
        offsets: this.#uniforms.filter(([binding]) => binding.group === index)
          .map(([, at]) => room!.offset + at),
      }));
      commands.launch(this.name, this.pipeline, groups, sizes);
      for (const buffer of buffers) commands.watch(buffer);
    } catch (error) {
      throw explain(error, `Cannot run kernel '${this.name}'`);
    }
  }

  #checkWorkgroups(workgroups: Workgroups): readonly [number, number, number] {
    if (workgroups === undefined) {
      throw new TypeError("got no number of workgroups, need { workgroups } after the bindings");
    }
    const list = typeof workgroups === "number" ? [workgroups] : workgroups;
    const [x, y = 1, z = 1] = Array.isArray(list) && list.length <= 3 ? list : [NaN];
    const limit = this.gpu.device.limits.maxComputeWorkgroupsPerDimension;
    const fits = (count: number) => Number.isInteger(count) && count >= 0 && count <= limit;
    if (!(fits(x) && fits(y) && fits(z))) {
      throw new RangeError(
        `got workgroups ${
          describeValue(workgroups)
        }, need one to three whole numbers of at most ${limit} on this device`,
      );
    }
    return [x, y, z];
  }

  /** Checks all bindings, and returns the buffers in their order. */
  #checkBindings(bindings: Bindings): DeviceBuffer[] {
    const declared = this.reflection.bindings;
    const names = declared.map(({ name }) => name);
    const known = [...names, ...this.reflection.unused];
    const unknown = Object.keys(bindings).find((name) => !known.includes(name));
    const missing = names.find((name) => !Object.hasOwn(bindings, name));
    const need = names.join(", ") || "no bindings";
    if (unknown !== undefined) {
      const nearest = findNearest(unknown, names);
      throw new TypeError(
        `got an unknown binding ${unknown}, need ${need}${
          nearest === undefined ? "" : `; did you mean ${nearest}?`
        }`,
      );
    }
    if (missing !== undefined) throw new TypeError(`got no ${missing}, need ${need}`);
    const buffers = declared.filter((binding) => !isUniform(binding))
      .map((binding) => ({ binding, buffer: this.#checkBuffer(binding, bindings[binding.name]) }));
    for (const { binding, buffer } of buffers) {
      const other = buffers.find((one) => one.buffer === buffer && one.binding !== binding);
      if (other && binding.access === "read_write") {
        throw new TypeError(
          `got buffer '${buffer.label}' as ${binding.name} and as ${other.binding.name}, need another one for what is written`,
        );
      }
    }
    return buffers.map(({ buffer }) => buffer);
  }

  #checkBuffer({ name, sizeBytes }: Binding, value: unknown): DeviceBuffer {
    if (!(value instanceof DeviceBuffer)) {
      throw new TypeError(`got ${name} ${describeValue(value)}, need a buffer of the device`);
    }
    checkBuffer(`run kernel '${this.name}' with`, this.gpu, value);
    const limit = this.gpu.device.limits.maxStorageBufferBindingSize;
    if (value.sizeBytes < sizeBytes || value.sizeBytes > limit) {
      throw new RangeError(
        `got ${name} of ${value.sizeBytes} bytes, need ${sizeBytes} to ${limit} on this device`,
      );
    }
    return value;
  }

  /** Makes the bind groups, or takes those of the last launch where its buffers are the same. */
  #group(buffers: readonly DeviceBuffer[], arena: GPUBuffer | undefined): readonly GPUBindGroup[] {
    const last = this.#last.buffers;
    if (last.length === buffers.length && buffers.every((buffer, i) => buffer === last[i])) {
      if (this.#last.groups.length > 0) return this.#last.groups;
    }
    const storage = this.reflection.bindings.filter((binding) => !isUniform(binding));
    const groups = this.layouts.map((layout, index) =>
      this.gpu.device.createBindGroup({
        label: this.name,
        layout,
        entries: [
          ...storage.map((binding, i) => ({ binding, resource: { buffer: buffers[i].native } })),
          ...this.#uniforms.map(([binding]) => ({
            binding,
            resource: { buffer: arena!, size: binding.sizeBytes },
          })),
        ].filter(({ binding }) => binding.group === index)
          .map(({ binding, resource }) => ({ binding: binding.binding, resource })),
      })
    );
    this.#last = { buffers, groups };
    return groups;
  }
}

/**
 * Compiles a kernel.
 *
 * @param entryPoint may be left out where the shader has only one
 * @throws {KernelError} if the device refuses it, with the line, or if its footprint or its bindings are none that can run; `RangeError` if it
 * has no such entry point; `TypeError` if it is no text.
 */
export async function compileKernel(
  gpu: Gpu,
  name: string,
  code: string,
  entryPoint?: string,
): Promise<ComputeKernel> {
  const action = `Cannot compile kernel '${name}'`;
  if (typeof code !== "string") {
    throw new TypeError(`${action}: got ${describeValue(code)}, need the text of a WGSL shader`);
  }
  const { device } = gpu;
  const refuse = (error: GPUError) =>
    new KernelError(name, `${action}: ${simplify(error.message)}`, undefined, { cause: error });
  const adapted = gpu.adaptShader(code);
  let module: GPUShaderModule | undefined;
  try {
    await makeChecked(
      device,
      () => module = device.createShaderModule({ label: name, code: adapted }),
      refuse,
    );
  } catch (error) {
    const { messages = [] } = await module?.getCompilationInfo() ?? {};
    const found = messages.find(({ type }) => type === "error");
    throw found ? locate(name, action, code, found.message, found.lineNum, error) : error;
  }
  let reflection: Reflection;
  try {
    reflection = reflect(adapted, entryPoint);
  } catch (error) {
    if (!(error instanceof ReflectionError)) throw explain(error, action);
    throw locate(name, action, code, error.message, error.line, error);
  }
  const misfit = findMisfit(gpu, reflection);
  if (misfit) throw new KernelError(name, `${action}: ${misfit}`);
  return await makeChecked(device, () => {
    const layouts = createLayouts(device, name, reflection);
    const pipeline = device.createComputePipeline({
      label: name,
      layout: device.createPipelineLayout({ label: name, bindGroupLayouts: layouts }),
      compute: { module: module!, entryPoint: reflection.entryPoint },
    });
    return new ComputeKernel(name, gpu, reflection, pipeline, layouts);
  }, refuse);
}

/** Finds a footprint that some compilers let pass, and that then runs wrongly or not at all: `got ..., need ...`. */
function findMisfit(gpu: Gpu, reflection: Reflection): string | undefined {
  const { workgroupSize, workgroupBytes } = reflection;
  const { limits } = gpu.device;
  const [x, y, z] = workgroupSize;
  const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupStorageSize } = limits;
  const { maxComputeWorkgroupSizeX, maxComputeWorkgroupSizeY, maxComputeWorkgroupSizeZ } = limits;
  const sizes = [maxComputeWorkgroupSizeX, maxComputeWorkgroupSizeY, maxComputeWorkgroupSizeZ];
  if (x * y * z > most || workgroupSize.some((size, i) => size > sizes[i])) {
    return `got workgroups of ${
      workgroupSize.join(" x ")
    } invocations, need at most ${most} in all and ${sizes.join(" x ")} on this device`;
  }
  if (workgroupBytes > maxComputeWorkgroupStorageSize) {
    return `got ${workgroupBytes} bytes of workgroup memory, need at most ${maxComputeWorkgroupStorageSize} on this device`;
  }
  const { sizeBytes } = placeUniforms(gpu, reflection);
  if (sizeBytes > gpu.uniformBytes) {
    return `got ${sizeBytes} bytes of uniforms, need at most ${gpu.uniformBytes}; a storage buffer holds more`;
  }
  return undefined;
}

/** Places the uniforms of a launch one after another, and adds up their bytes. */
function placeUniforms(
  { device }: Gpu,
  { bindings }: Reflection,
): { readonly uniforms: readonly PlacedUniform[]; readonly sizeBytes: number } {
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  let sizeBytes = 0;
  const uniforms = bindings.filter(isUniform).map((binding): PlacedUniform => {
    const at = sizeBytes;
    sizeBytes += Math.ceil(binding.sizeBytes / alignment) * alignment;
    return [binding, at];
  });
  return { uniforms, sizeBytes };
}

/** Creates the layouts of all bind groups up to the last; that of a group that the shader leaves out is empty. */
function createLayouts(
  device: GPUDevice,
  label: string,
  { bindings }: Reflection,
): GPUBindGroupLayout[] {
  const count = 1 + Math.max(-1, ...bindings.map(({ group }) => group));
  return Array.from({ length: count }, (_, index) =>
    device.createBindGroupLayout({
      label,
      entries: bindings.filter(({ group }) => group === index).map((
        { binding, access, sizeBytes },
      ): GPUBindGroupLayoutEntry => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: {
          type: ({ uniform: "uniform", read: "read-only-storage", read_write: "storage" } as const)[
            access
          ],
          hasDynamicOffset: access === "uniform",
          minBindingSize: sizeBytes,
        },
      })),
    }));
}

function isUniform({ access }: Binding): boolean {
  return access === "uniform";
}

/** Completes an error of ours whose message begins with `got` to a whole line; any other stays as it is. */
function explain(error: unknown, action: string): unknown {
  if (!(error instanceof Error && error.message.startsWith("got "))) return error;
  if (error instanceof RangeError) return new RangeError(`${action}: ${error.message}`);
  return error instanceof TypeError ? new TypeError(`${action}: ${error.message}`) : error;
}

/** Makes an error of a compiler's message and the line at fault. */
function locate(
  name: string,
  action: string,
  code: string,
  message: string,
  line: number | undefined,
  cause: unknown,
): KernelError {
  const where = line ? `line ${line}, \`${code.split("\n")[line - 1]?.trim()}\`: ` : "";
  return new KernelError(name, `${action}: ${where}${simplify(message)}`, line || undefined, {
    cause,
  });
}

/** Reduces a compiler's message to one line: naga draws the code at fault, and gives the reason below it where its heading is vague. */
function simplify(message: string): string {
  const lines = message.trim().split("\n").map((line) => line.trim());
  const heading = lines[0].replace(/^Shader ('.*' )?(parsing|validation) error: /, "");
  const reasons = lines.filter((line) => line.startsWith("= ") && !line.startsWith("= note"));
  const isVague = heading.endsWith(" is invalid") && reasons.length > 0;
  return isVague ? reasons.at(-1)!.slice(2) : heading;
}
