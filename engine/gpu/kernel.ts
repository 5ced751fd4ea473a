/**
 * Compute kernel: its WGSL and the layout of its bind group.
 *
 * @module
 */
import { expand } from "../wgsl/expansion.ts";
import { Modules } from "../wgsl/linking.ts";
import { type OperandStorage, PANEL_TEXTURE, readFromTexture } from "./panels.ts";
import { splitArrays } from "../wgsl/shortening.ts";
import { type CopyFormat, readFromCopy } from "./operand_copies.ts";
import { print } from "../wgsl/tokens.ts";

/** Type of a scalar in the uniform struct `Params`, 4 bytes each. */
export type Scalar = "u32" | "i32" | "f32";
/**
 * Access of a kernel to an operand: `read` or `read_write` of a storage buffer; `panels`, read from a buffer or a texture (`panels.ts`); or the
 * format of the texture copy that a buffer is read from where that is faster (`operand_copies.ts`).
 */
export type Access = "read" | "read_write" | "panels" | CopyFormat;

/** Declaration of a kernel's bind group 0: `Params` at binding 0, then the buffers in order. */
export interface KernelDeclaration<P extends string, B extends string> {
  readonly params: Readonly<Record<P, Scalar>>;
  readonly buffers: Readonly<Record<B, Access>>;
  /** Files that the shader may import from, by path. */
  readonly shared?: Readonly<Record<string, string>>;
}

/** Values of a kernel's uniform `Params`, by name. */
export type ParamValues<P extends string> = Readonly<Record<P, number>>;
/** Buffers of a kernel, by name; either all panels are in buffers, or all in textures. */
export type BufferBindings<B extends string> = Readonly<Record<B, GPUBuffer | GPUTexture>>;

/** Storage that a launch reads its panels and its copyable operands from, and whether it uses subgroups. */
export interface Reading {
  readonly panels: OperandStorage;
  readonly operands: OperandStorage;
  /** Whether the shader's condition `@if(subgroups)` holds. */
  readonly subgroups: boolean;
}

/** Compile-time specialisation of a kernel: constants such as its tile, and operands that are read as vec4f. */
export interface KernelShape {
  /** Values of the shader's constants, by name. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Names of buffers, or `elements`, that the shader accesses as vec4f, by its condition `@if(NAME_as_vec4)`. */
  readonly vec4s?: readonly string[];
}

/** Files of a shader, and its specialisation. */
interface Choice extends Required<KernelShape> {
  readonly modules: Modules;
}

/** Shader with the explicit bind group layout that its launches must match. */
export class Kernel<P extends string = string, B extends string = string> {
  readonly params: readonly (readonly [P, Scalar])[];
  readonly buffers: readonly (readonly [B, Access])[];
  readonly #shaped = new Map<string, Kernel<P, B>>();
  readonly #choice: Choice;

  /** @param choice specialisation, which `shape` gives */
  constructor(
    readonly name: string,
    readonly source: string,
    private readonly declaration: KernelDeclaration<P, B>,
    choice?: Choice,
  ) {
    this.#choice = choice ??
      { modules: new Modules(name, source, declaration.shared), constants: {}, vec4s: [] };
    this.params = Object.entries(declaration.params) as [P, Scalar][];
    this.buffers = Object.entries(declaration.buffers) as [B, Access][];
  }

  /** Size of the uniform struct, in bytes. */
  get paramBytes(): number {
    return this.params.length * 4;
  }

  /** Writes the uniform struct to byte `offset` of `view`. */
  writeParams(view: DataView, offset: number, values: ParamValues<P>): void {
    this.params.forEach(([name, type], index) => {
      const at = offset + index * 4;
      if (type === "f32") view.setFloat32(at, values[name], true);
      else if (type === "i32") view.setInt32(at, values[name], true);
      else view.setUint32(at, values[name], true);
    });
  }

  /** Specialises this kernel; the same specialisation gives the same object each time. */
  shape({ constants = {}, vec4s = [] }: KernelShape): Kernel<P, B> {
    const key = JSON.stringify([constants, vec4s]);
    let shaped = this.#shaped.get(key);
    if (!shaped) {
      const buffers = Object.fromEntries(this.buffers.map(([name, access]) => {
        const isCopiedVec4 = access === "r32float" && vec4s.includes(name);
        return [name, isCopiedVec4 ? "rgba32float" : access];
      })) as Record<B, Access>;
      const choice = this.#choice;
      shaped = new Kernel(this.name, this.source, { ...this.declaration, buffers }, {
        modules: choice.modules,
        constants: { ...choice.constants, ...constants },
        vec4s: [...choice.vec4s, ...vec4s],
      });
      this.#shaped.set(key, shaped);
    }
    return shaped;
  }

  /**
   * Generates the WGSL that the device compiles: imports linked, constants set, loops marked `// unroll` unrolled, and operands read from
   * buffers or textures.
   *
   * @throws {SyntaxError} if the shader lacks a constant or a condition that the specialisation names, has an import that does not exist, or
   * reads an operand in a form that cannot be rewritten to read a texture.
   */
  expand({ panels, operands, subgroups }: Reading): string {
    const { modules, constants, vec4s } = this.#choice;
    const names = ["elements", ...this.buffers.map(([name]) => name)];
    const { tokens, asked } = modules.link({
      subgroups,
      ...Object.fromEntries(names.map((name) => [nameVec4s(name), vec4s.includes(name)])),
    });
    const missing = vec4s.map(nameVec4s).filter((condition) => !asked.has(condition));
    if (missing.length > 0) {
      throw new SyntaxError(
        `Cannot access vec4s in '${this.name}': got no @if(${missing[0]})`,
      );
    }
    return print(this.buffers.reduce((moved, [name, access]) => {
      if (access === "panels" && panels === "texture") return readFromTexture(moved, name);
      if (isCopyable(access) && operands === "texture") return readFromCopy(moved, name, access);
      return moved;
    }, splitArrays(expand(tokens, constants))));
  }

  /**
   * Compiles the shader; a mistake in it is reported as an error of the device.
   *
   * @param adapt adapts the WGSL to the device's compiler
   */
  createPipeline(
    device: GPUDevice,
    reading: Reading,
    adapt: (code: string) => string,
  ): GPUComputePipeline {
    const label = this.name;
    const layout = device.createBindGroupLayout({
      label,
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: this.paramBytes },
        },
        ...this.buffers.map(([, access], index): GPUBindGroupLayoutEntry => ({
          binding: index + 1,
          visibility: GPUShaderStage.COMPUTE,
          ...describeOperand(access, reading),
        })),
      ],
    });
    return device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: {
        module: device.createShaderModule({ label, code: adapt(this.expand(reading)) }),
        entryPoint: "main",
      },
    });
  }
}

/** Names the condition under which a shader accesses an operand as vec4f. */
function nameVec4s(name: string): string {
  return `${name}_as_vec4`;
}

/** Whether an operand may be read from a texture copy. */
export function isCopyable(access: Access): access is CopyFormat {
  return access === "r32float" || access === "rgba32float";
}

/** Counts the bytes that are read and written where a launch's operands are copied to textures. */
export function countCopiedBytes<B extends string>(
  { buffers }: Pick<Kernel<string, B>, "buffers">,
  bindings: BufferBindings<B>,
): number {
  const copied = buffers.filter(([, access]) => isCopyable(access));
  return 2 * copied.reduce((sum, [name]) => sum + (bindings[name] as GPUBuffer).size, 0);
}

function describeOperand(
  access: Access,
  { panels, operands }: Reading,
): Partial<GPUBindGroupLayoutEntry> {
  if (isCopyable(access) && operands === "texture") {
    return { storageTexture: { access: "read-only", format: access } };
  }
  if (access === "panels" && panels === "texture") return { storageTexture: PANEL_TEXTURE };
  return { buffer: { type: access === "read_write" ? "storage" : "read-only-storage" } };
}
