/**
 * Surroundings of a case, and the arrays that it works on.
 *
 * @module
 */
import { createGenerator, drawUniform, STREAMS } from "../engine/data/random.ts";
import type { Engine } from "../engine/engine.ts";
import type { Gpu } from "../engine/gpu/device.ts";
import type { OperandStorage } from "../engine/gpu/panels.ts";
import { layOutRow, type RowLayout } from "../engine/rows/layout.ts";
import { PANEL_ROWS } from "../engine/rows/blocks.ts";
import { lenet5 } from "../engine/network/models.ts";
import { checkNetwork } from "../engine/network/network.ts";
import type { Tensorflow } from "../engine/operations/tensorflow.ts";
import type { Stopwatch } from "./measure.ts";
import type { Result } from "./report.ts";

/** Device, engine and effort of the cases. */
export interface Bench extends Stopwatch {
  readonly tensorflow: Tensorflow;
  readonly engine: Engine;
  /** Whether to leave out the largest sizes. */
  readonly quick: boolean;
  /** Adds a note below the table, once: which peer is missing, and why. */
  note(text: string): void;
}

/** Validates and times one kernel or one computation of the engine, size by size. */
export type Case = (bench: Bench) => AsyncGenerator<Result>;

/** Float32 array that can be uploaded. */
export type Floats = Float32Array<ArrayBuffer>;

/** Buffers that live as long as one case. */
export class Scratch implements Disposable {
  readonly #stack = new DisposableStack();

  constructor(private readonly gpu: Gpu) {}

  /** Creates a buffer that holds `data`. */
  upload(label: string, data: Floats | Uint32Array<ArrayBuffer>): GPUBuffer {
    return this.#own(this.gpu.upload(label, data));
  }

  /** Uploads whole panels of `height` k indices into the storage that `operands` names. */
  uploadPanels(data: Floats, operands: OperandStorage, height: number): GPUBuffer | GPUTexture {
    const count = data.length / PANEL_ROWS / height;
    const panels = this.#own(this.gpu.createPanels("panels", operands, height, count));
    this.gpu.writePanels(panels, data, height);
    return panels;
  }

  /** Creates a buffer for `count` elements of 4 bytes. */
  create(label: string, count: number): GPUBuffer {
    return this.#own(this.gpu.createBuffer(label, count * 4));
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  #own<T extends GPUBuffer | GPUTexture>(buffer: T): T {
    return this.#stack.adopt(buffer, (b) => this.gpu.destroyBuffer(b));
  }
}

/** Reads a buffer as f32. */
export async function readFloats(gpu: Gpu, buffer: GPUBuffer): Promise<Floats> {
  return new Float32Array(await gpu.read(buffer));
}

/** Draws `count` integers from -2 to 2: every sum of their products below 2^24 is exact in float32, in any order. */
export function drawIntegers(seed: number, count: number): Floats {
  return drawUniform(createGenerator(seed, STREAMS.trials), count, 2.5).map(Math.round);
}

/** Unpacks the first `count` rows of panels into `[count, length]`, row-major. */
export function unpackPanels(panels: Floats, length: number, count: number): Floats {
  const rows = new Float32Array(count * length);
  for (let n = 0; n < count; n++) {
    const at = Math.floor(n / PANEL_ROWS) * PANEL_ROWS * length + n % PANEL_ROWS;
    for (let k = 0; k < length; k++) rows[n * length + k] = panels[at + k * PANEL_ROWS];
  }
  return rows;
}

/** Layout of LeNet-5's rows. */
export function layOutLenet5(engine: Engine): RowLayout {
  using network = engine.network(lenet5, { seed: 0, classes: 10 });
  checkNetwork(network);
  return layOutRow(network.layers);
}

/** Formats a count as `1,024`. */
export function group(count: number): string {
  return count.toLocaleString("en");
}
