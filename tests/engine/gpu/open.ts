/**
 * Tools of the tests on the device: one device a file, launches into garbage, and rows from raw values.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createGenerator, drawUniform, STREAMS } from "../../../engine/data/random.ts";
import type { Commands } from "../../../engine/gpu/commands.ts";
import type { Gpu } from "../../../engine/gpu/device.ts";
import { openGpu } from "../../../engine/tuning/open.ts";
import type { Access, BufferBindings, Kernel, ParamValues } from "../../../engine/gpu/kernel.ts";
import type { RowLayout, Segment } from "../../../engine/rows/layout.ts";
import type { OperandStorage } from "../../../engine/gpu/panels.ts";
import type { Residence } from "../../../engine/rows/plan.ts";
import { padRows, PANEL_ROWS } from "../../../engine/rows/blocks.ts";
import {
  type BoundSlice,
  PackedRows,
  type RowBlock,
  type RowsOptions,
  type RowSource,
  type StagedPanels,
} from "../../../engine/rows/rows.ts";
import { assertClose } from "../../../engine/reference/numbers.ts";

let opened: Promise<Gpu> | undefined;

Deno.test.afterAll(async () => (await opened)?.dispose());

async function openDevice(): Promise<Gpu> {
  const gpu = await openGpu();
  gpu.record(); // the first recording makes the parameter buffer, which stays
  return gpu;
}

/** Registers a test on the file's device; it fails when a buffer is left alive or the device reports an error. */
export function testGpu(name: string, run: (gpu: Gpu) => Promise<void>): void {
  Deno.test(name, async () => {
    const gpu = await (opened ??= openDevice());
    const before = gpu.liveBuffers;
    await run(gpu);
    await gpu.finish();
    assert.equal(gpu.liveBuffers, before, "buffers alive after the test");
  });
}

/** Spreads the workgroups of launches over y, two side by side, like dispatches of more than 65,535 workgroups, until it is disposed. */
export function spreadGroups(gpu: Gpu): Disposable {
  const { groupsAcross } = gpu;
  gpu.groupsAcross = 2;
  return { [Symbol.dispose]: () => gpu.groupsAcross = groupsAcross };
}

/** Draws `count` floats from [-1, 1), f32; the same for the same seed. */
export function drawNumbers(seed: number, count: number): Floats {
  // any stream would serve; the seeds of tests that need rare cases were found with this one
  return drawUniform(createGenerator(seed, STREAMS.trainingDigits), count, 1);
}

/** Draws `count` integers from -3 to 3, whose products and sums are exact in f32. */
export function drawIntegers(seed: number, count: number): Floats {
  return drawNumbers(seed, count).map((value) => Math.round(3 * value));
}

/** Float32 array in memory that no other thread sees, which can be uploaded. */
export type Floats = Float32Array<ArrayBuffer>;

/** Contents of a buffer before a launch, or the number of 4-byte elements that the kernel is to fill it with. */
type Contents = Floats | Uint32Array<ArrayBuffer> | { readonly unfilled: number };

/** A buffer after a launch. */
export interface Output {
  readonly values: Floats;
  /** Bytes of the buffer as integers. */
  readonly integers: Uint32Array<ArrayBuffer>;
  /** Flags, 1 where the kernel wrote or the buffer had contents. */
  readonly written: Uint8Array;
}

/** Number of elements behind the end of a buffer, which the kernel must leave alone. */
const SLACK = 256;

/**
 * Two launches: the garbage in an unfilled buffer (a NaN, and some 1e30), the storage of operands that may be copied to textures, and whether
 * workgroups are spread over y and subgroups are used.
 */
const LAUNCHES = [
  { garbage: 0x7fc0dead, storage: "buffer", isSpread: false, subgroups: false },
  { garbage: 0x7149f2ca, storage: "texture", isSpread: true, subgroups: true },
] as const;

/**
 * Launches a kernel twice on buffers of its own, unfilled ones full of garbage that differs from launch to launch. The second time, operands that may
 * be copied to textures are read from there, lanes of a subgroup share them if the device can, and workgroups are numbered along two dimensions.
 *
 * @param operands storage of panels; in textures they are as high as the parameter `row_length` says
 * @returns the buffers that the kernel may write
 * @throws {Error} if the launches leave different bits in an element that is not both times its garbage.
 */
export async function launchTwice<P extends string, B extends string>(
  gpu: Gpu,
  kernel: Kernel<P, B>,
  params: ParamValues<P>,
  contents: Readonly<Record<B, Contents>>,
  workgroups: number,
  operands: OperandStorage = "buffer",
): Promise<Record<B, Output>> {
  const [before, after] = await Promise.all(
    LAUNCHES.map((setting) => launch(gpu, kernel, params, contents, workgroups, operands, setting)),
  );
  return Object.fromEntries(
    after.map(([name, bits], index) => {
      const written = compare(kernel.name, name, before[index][1], bits);
      const content = contents[name];
      const length = "unfilled" in content ? content.unfilled : content.length;
      const beyond = written.subarray(length).indexOf(1);
      assert.equal(beyond, -1, `${kernel.name} writes beyond the end of ${name}`);
      const integers = bits.slice(0, length);
      const values = new Float32Array(integers.buffer);
      return [name, { values, integers, written: written.subarray(0, length) }];
    }),
  ) as Record<B, Output>;
}

/** Launches a kernel once; returns the buffers that it may write, in their order. */
async function launch<P extends string, B extends string>(
  gpu: Gpu,
  kernel: Kernel<P, B>,
  params: ParamValues<P>,
  contents: Readonly<Record<B, Contents>>,
  workgroups: number,
  operands: OperandStorage,
  { garbage, storage, isSpread, subgroups }: typeof LAUNCHES[number],
): Promise<[B, Uint32Array<ArrayBuffer>][]> {
  using stack = new DisposableStack();
  const buffers = Object.fromEntries(kernel.buffers.map(([name, access]) => {
    const data = prepare(contents[name], access, garbage);
    const isTextured = access === "panels" && operands === "texture";
    const operand = isTextured
      ? uploadTexture(gpu, data, (params as ParamValues<string>).row_length)
      : gpu.upload(name, data);
    return [name, stack.adopt(operand, (buffer) => gpu.destroyBuffer(buffer))];
  })) as BufferBindings<B>;
  gpu.operandStorage = storage;
  const before = gpu.subgroups;
  gpu.subgroups &&= subgroups;
  {
    using _ = isSpread ? spreadGroups(gpu) : undefined;
    const commands = gpu.record();
    commands.run(kernel, params, buffers, workgroups);
    commands.submit();
  }
  gpu.subgroups = before;
  const results: [B, Uint32Array<ArrayBuffer>][] = [];
  for (const [name, access] of kernel.buffers) {
    if (access === "read_write") {
      results.push([name, new Uint32Array(await gpu.read(buffers[name] as GPUBuffer))]);
    }
  }
  return results;
}

/** Uploads panels of `height` k indices to a texture, without what follows the last whole panel. */
function uploadTexture(
  gpu: Gpu,
  data: Floats | Uint32Array<ArrayBuffer>,
  height: number,
): GPUBuffer | GPUTexture {
  const count = Math.floor(data.length / PANEL_ROWS / height);
  const texture = gpu.createPanels("panels", "texture", height, count);
  const numbers = new Float32Array(data.buffer, 0, count * PANEL_ROWS * height);
  gpu.writePanels(texture, numbers, height);
  return texture;
}

/** Prepares what to upload: garbage to overwrite, or the contents, with NaN behind the end of floats that are only read. */
function prepare(content: Contents, access: Access, garbage: number) {
  if ("unfilled" in content) return new Uint32Array(content.unfilled + SLACK).fill(garbage);
  if (access === "read_write" || content instanceof Uint32Array) return content;
  const padded = new Float32Array(content.length + SLACK).fill(NaN);
  padded.set(content);
  return padded;
}

/** Compares two launches: 1 where both left the same bits, 0 where each left its garbage. */
function compare(kernel: string, name: string, before: Uint32Array, after: Uint32Array) {
  const written = new Uint8Array(after.length);
  for (let i = 0; i < after.length; i++) {
    if (before[i] === after[i]) written[i] = 1;
    else if (before[i] !== LAUNCHES[0].garbage || after[i] !== LAUNCHES[1].garbage) {
      throw new Error(`${kernel} is not deterministic: element ${i} of ${name} differs`);
    }
  }
  return written;
}

/**
 * Asserts that an output equals its twin's within a bound; NaN marks an element that the kernel must leave alone.
 *
 * @param bound largest error of element i
 */
export function assertOutput(
  { values, written }: Output,
  expected: ArrayLike<number>,
  bound: (i: number) => number,
  label: string,
): void {
  assert.equal(values.length, expected.length, label);
  // written as loops, since some outputs have millions of elements
  const [kept, wanted] = [new Float64Array(values.length), new Float64Array(values.length)];
  for (let i = 0; i < values.length; i++) {
    const isLeft = Number.isNaN(expected[i]);
    if (isLeft === (written[i] === 1)) {
      assert.fail(`${label}: element ${i} is ${isLeft ? "overwritten" : "not written"}`);
    }
    if (isLeft) continue;
    kept[i] = values[i];
    wanted[i] = expected[i];
  }
  assertClose(kept, wanted, bound, label);
}

/** Makes a row layout of segments one after another: the length of a plain one, `[inputs, outputs, positions]` of a factored one. */
export function layOut(
  ...sizes: (number | readonly [number, number, positions?: number])[]
): RowLayout {
  let length = 0;
  const segments = sizes.map((size, i): Segment => {
    const [layer, offset] = [`layer${i}`, length];
    if (typeof size === "number") {
      length += size;
      return { layer, kind: "plain", offset, length: size };
    }
    const [inputs, outputs, positions = 1] = size;
    length += positions * (inputs + outputs);
    return { layer, kind: "factored", offset, positions, inputs, outputs };
  });
  return { segments, length };
}

/** Cuts an array into rows. */
export function cutRows<T extends Float32Array>(numbers: T, rowLength: number): T[] {
  return Array.from(
    { length: numbers.length / rowLength },
    (_, n) => numbers.subarray(n * rowLength, (n + 1) * rowLength) as T,
  );
}

/** Packs rows as the kernels read them: panels of 64, k-major, zeros after the last row. */
export function packPanels(
  rows: readonly ArrayLike<number>[],
  rowLength: number,
): Floats {
  const packed = new Float32Array(padRows(rows.length) * rowLength);
  rows.forEach((row, n) => {
    const panel = Math.floor(n / PANEL_ROWS) * rowLength;
    for (let k = 0; k < rowLength; k++) {
      packed[(panel + k) * PANEL_ROWS + n % PANEL_ROWS] = row[k];
    }
  });
  return packed;
}

/** Options of rows from raw values. */
interface UploadOptions extends Omit<RowsOptions, "residence" | "recompute"> {
  /** Residence of the rows. Default: the device. */
  readonly residence?: Residence;
  /** Elements of a row that the device holds at once, if rows are recomputed. Default: all. */
  readonly heldLength?: number;
}

/** Uploads rows from raw values; the caller disposes them. */
export async function uploadRows(
  gpu: Gpu,
  layout: RowLayout,
  numbers: readonly ArrayLike<number>[],
  { residence = "device", heldLength = layout.length, ...options }: UploadOptions = {},
): Promise<PackedRows> {
  const source = new RawRows(gpu, numbers);
  if (residence === "recomputed") {
    return new PackedRows(gpu, layout, numbers.length, {
      ...options,
      recompute: { source, heldLength },
    });
  }
  const rows = new PackedRows(gpu, layout, numbers.length, { ...options, residence });
  const commands = gpu.record();
  for (const block of rows.blocks) {
    for (const staged of source.fill(commands, block, rows.slices)) {
      await rows.write(commands, block, staged);
    }
  }
  source[Symbol.dispose]();
  return rows;
}

/** Source that packs rows of raw values panel by panel. */
class RawRows implements RowSource {
  #staged: GPUBuffer | undefined;

  constructor(
    private readonly gpu: Gpu,
    private readonly numbers: readonly ArrayLike<number>[],
  ) {}

  *fill(
    _: Commands,
    { firstRow, rowCount }: RowBlock,
    slices: readonly BoundSlice[],
  ): Generator<StagedPanels> {
    for (const slice of slices) {
      for (let row = 0; row < rowCount; row += PANEL_ROWS) {
        const first = firstRow + row;
        const part = this.numbers.slice(first, Math.min(first + PANEL_ROWS, firstRow + rowCount))
          .flatMap((row) =>
            Array.from(
              { length: slice.positions },
              (_, p) => cutLines(row, slice.offset + p * slice.lines, slice.lines),
            )
          );
        this[Symbol.dispose]();
        const padded = new Float32Array(PANEL_ROWS * slice.length);
        padded.set(packPanels(part, slice.lines));
        this.#staged = this.gpu.upload("panels", padded);
        yield { slice, panels: this.#staged, first: row / PANEL_ROWS, count: 1 };
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#staged) this.gpu.destroyBuffer(this.#staged);
    this.#staged = undefined;
  }
}

function cutLines(row: ArrayLike<number>, offset: number, count: number): number[] {
  return Array.from({ length: count }, (_, k) => row[offset + k]);
}
