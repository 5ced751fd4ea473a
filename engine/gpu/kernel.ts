/**
 * A compute kernel: its WGSL and what its first bind group holds.
 *
 * @module
 */
import { expand } from "../wgsl/expansion.ts";
import { Modules } from "../wgsl/linking.ts";
import { type OperandStorage, PANEL_TEXTURE, readFromTexture } from "./panels.ts";
import { splitArrays } from "../wgsl/shortening.ts";
import { type CopyFormat, readFromCopy } from "./operand_copies.ts";
import { print } from "../wgsl/tokens.ts";

/** A uniform scalar of `Params`, 4 bytes each, in the order of the struct. */
export type Scalar = "u32" | "i32" | "f32";
/**
 * How a kernel uses a buffer: as a storage buffer; as `panels`, which are only read, and may stand in a texture instead (`panels.ts`); or read
 * only, if that is faster from a copy in a texture of that format (`operand_copies.ts`).
 */
export type Access = "read" | "read_write" | "panels" | CopyFormat;

/** What a kernel declares in group 0: `Params` at binding 0, then its buffers in order. */
export interface KernelDeclaration<P extends string, B extends string> {
  readonly params: Readonly<Record<P, Scalar>>;
  readonly buffers: Readonly<Record<B, Access>>;
  /** The files that its shader may import from, by their paths. */
  readonly shared?: Readonly<Record<string, string>>;
}

/** Values of a kernel's uniform `Params`, by name. */
export type ParamValues<P extends string> = Readonly<Record<P, number>>;
/** Buffers of a kernel, by name; panels all in buffers, or all in textures. */
export type BufferBindings<B extends string> = Readonly<Record<B, GPUBuffer | GPUTexture>>;

/** How a launch reads: where its panels and the operands that may be copied are read, and whether neighbours pass on what they read. */
export interface Reading {
  readonly panels: OperandStorage;
  readonly operands: OperandStorage;
  /** What a shader has under `@if(subgroups)` is taken. */
  readonly subgroups: boolean;
}

/** What fits a kernel to a layer. */
export interface KernelShape {
  /** The shader's constants, by name. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Names of buffers, or `elements`, that the shader accesses as vec4f, under `@if(NAME_as_vec4)`. */
  readonly vec4s?: readonly string[];
}

/** A shader's files, and what the host has chosen of them. */
interface Choice extends Required<KernelShape> {
  readonly modules: Modules;
}

/** One shader with the explicit layout that its launches must match. */
export class Kernel<P extends string = string, B extends string = string> {
  readonly params: readonly (readonly [P, Scalar])[];
  readonly buffers: readonly (readonly [B, Access])[];
  readonly #shaped = new Map<string, Kernel<P, B>>();
  readonly #choice: Choice;

  /** @param choice use `shape` */
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

  /** Bytes of the uniform struct. */
  get paramBytes(): number {
    return this.params.length * 4;
  }

  /** Writes the uniform struct at `offset` of `view`. */
  writeParams(view: DataView, offset: number, values: ParamValues<P>): void {
    this.params.forEach(([name, type], index) => {
      const at = offset + index * 4;
      if (type === "f32") view.setFloat32(at, values[name], true);
      else if (type === "i32") view.setInt32(at, values[name], true);
      else view.setUint32(at, values[name], true);
    });
  }

  /** This kernel with another tile, the same one each time. */
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
   * The WGSL that the device compiles: in one piece, loops marked `// unroll` written out, and operands read from where they stand.
   *
   * @throws {SyntaxError} if the shader lacks a constant or a condition that the shape names, imports what there is not, or does not read an
   * operand in the one way that can be moved to textures.
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
   * Compiles the shader; a mistake in it surfaces as the device's error.
   *
   * @param adapt makes it what the device's compiler takes
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

/** The condition under which a shader takes four numbers of something at once. */
function nameVec4s(name: string): string {
  return `${name}_as_vec4`;
}

/** Whether a launch may read a copy in a texture. */
export function isCopyable(access: Access): access is CopyFormat {
  return access === "r32float" || access === "rgba32float";
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
