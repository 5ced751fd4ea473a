/**
 * A compute kernel: its WGSL and what its first bind group holds.
 *
 * @module
 */
import { bindQuads, chooseFunctions, setConstants, takeQuads, unrollLoops } from "./expansion.ts";
import { shorten } from "./shortening.ts";
import { type Operands, PANEL_TEXTURE, readFromTexture } from "./panels.ts";
import { readFromCopy, type StagedFormat } from "./staging.ts";

/** A uniform scalar of `Params`, 4 bytes each, in the order of the struct. */
export type Scalar = "u32" | "i32" | "f32";
/**
 * How a kernel uses a buffer: as a storage buffer; as `panels`, which are only read, and may stand in a texture instead (`panels.ts`); or read
 * only, if that is faster from a copy in a texture of that format (`staging.ts`).
 */
export type Access = "read" | "read_write" | "panels" | StagedFormat;

/** What a kernel declares in group 0: `Params` at binding 0, then its buffers in order. */
export interface KernelDeclaration<P extends string, B extends string> {
  readonly params: Readonly<Record<P, Scalar>>;
  readonly buffers: Readonly<Record<B, Access>>;
}

/** Values of a kernel's uniform `Params`, by name. */
export type ParamValues<P extends string> = Readonly<Record<P, number>>;
/** Buffers of a kernel, by name; panels all in buffers, or all in textures. */
export type BufferBindings<B extends string> = Readonly<Record<B, GPUBuffer | GPUTexture>>;

/** How a launch reads: where its panels and the operands that may be staged stand, and whether neighbours pass on what they read. */
export interface Reading {
  readonly panels: Operands;
  readonly staged: Operands;
  /** Functions that a shader also has as `name_subgroup` are taken so. */
  readonly subgroups: boolean;
}

/** What fits a kernel to a layer. */
export interface KernelShape {
  /** The shader's constants, by name. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Whether the shader's `Numbers` are four each. Default: no. */
  readonly byQuads?: boolean;
  /** Buffers of four numbers each, by `read_name_quad` and `write_name_quad` in place of the functions without `_quad`. */
  readonly quads?: readonly string[];
}

/** One shader with the explicit layout that its launches must match. */
export class Kernel<P extends string = string, B extends string = string> {
  readonly params: readonly (readonly [P, Scalar])[];
  readonly buffers: readonly (readonly [B, Access])[];
  readonly #shaped = new Map<string, Kernel<P, B>>();

  constructor(
    readonly name: string,
    readonly source: string,
    private readonly declaration: KernelDeclaration<P, B>,
  ) {
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

  /**
   * This kernel with another tile, the same one each time.
   *
   * @throws {SyntaxError} if the shader lacks a constant, a function or a buffer that the shape names.
   */
  shape({ constants = {}, byQuads = false, quads = [] }: KernelShape): Kernel<P, B> {
    const key = JSON.stringify([constants, byQuads, quads]);
    let shaped = this.#shaped.get(key);
    if (!shaped) {
      const tiled = setConstants(byQuads ? takeQuads(this.source) : this.source, constants);
      const isQuad = (name: string) => quads.includes(name.replace(/^(read|write)_/, ""));
      const source = quads.reduce(bindQuads, chooseFunctions(tiled, "quad", isQuad));
      const buffers = Object.fromEntries(this.buffers.map(([name, access]) => {
        const isStagedQuad = access === "r32float" && quads.includes(name);
        return [name, isStagedQuad ? "rgba32float" : access];
      })) as Record<B, Access>;
      shaped = new Kernel(this.name, source, { ...this.declaration, buffers });
      this.#shaped.set(key, shaped);
    }
    return shaped;
  }

  /**
   * The WGSL that the device compiles: functions chosen, loops marked `// unroll` written out, and operands read from where they stand.
   *
   * @throws {SyntaxError} if the shader does not read an operand in the one way that can be moved to textures.
   */
  expand({ panels, staged, subgroups }: Reading): string {
    const chosen = chooseFunctions(
      chooseFunctions(this.source, "quad", () => false),
      "subgroup",
      () => subgroups,
    );
    return this.buffers.reduce((code, [name, access]) => {
      if (access === "panels" && panels === "texture") return readFromTexture(code, name);
      if (isStaged(access) && staged === "texture") return readFromCopy(code, name, access);
      return code;
    }, shorten(unrollLoops(chosen)));
  }

  /** Compiles the shader; a mistake in it surfaces as the device's error. */
  createPipeline(device: GPUDevice, reading: Reading): GPUComputePipeline {
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
        module: device.createShaderModule({ label, code: this.expand(reading) }),
        entryPoint: "main",
      },
    });
  }
}

/** Whether a launch may read a copy in a texture. */
export function isStaged(access: Access): access is StagedFormat {
  return access === "r32float" || access === "rgba32float";
}

function describeOperand(
  access: Access,
  { panels, staged }: Reading,
): Partial<GPUBindGroupLayoutEntry> {
  if (isStaged(access) && staged === "texture") {
    return { storageTexture: { access: "read-only", format: access } };
  }
  if (access === "panels" && panels === "texture") return { storageTexture: PANEL_TEXTURE };
  return { buffer: { type: access === "read_write" ? "storage" : "read-only-storage" } };
}
