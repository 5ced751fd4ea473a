/**
 * Rows from vectors that are there already, instead of per-sample gradients.
 *
 * @module
 */
import { findNonFinite } from "../data/finite_check.ts";
import type { Gpu } from "../gpu/device.ts";
import { checkNumber, describeValue, isCount } from "../options.ts";
import { padRows, PANEL_ROWS } from "../rows/blocks.ts";
import { layOutPlain, type RowLayout } from "../rows/layout.ts";
import { PackedRows } from "../rows/rows.ts";
import { chooseVariant } from "../tuning/gram_variants.ts";

/**
 * Uploads vectors `[count, D]` f32, row-major, as rows, each of which is one plain segment; the caller disposes them.
 *
 * @throws {TypeError} if the vectors are no `Float32Array`.
 * @throws {RangeError} if there are none, not equally many numbers for each, or one is not finite.
 * @throws {OutOfMemoryError} if the device has no room for them.
 */
export async function packVectors(
  gpu: Gpu,
  vectors: Float32Array,
  count: number,
): Promise<PackedRows> {
  if (!(vectors instanceof Float32Array)) {
    throw new TypeError(`Cannot pack vectors: got ${describeValue(vectors)}, need a Float32Array`);
  }
  checkNumber("pack vectors", "count", count, isCount, "a positive integer");
  const length = vectors.length / count;
  if (!isCount(length)) {
    throw new RangeError(
      `Cannot pack vectors: got ${vectors.length} numbers for ${count} vectors, need as many for each`,
    );
  }
  const bad = findNonFinite(vectors);
  if (bad >= 0) {
    throw new RangeError(
      `Cannot pack vectors: got ${vectors[bad]} in vector ${
        Math.floor(bad / length)
      }, need finite numbers`,
    );
  }
  return await uploadRows(gpu, layOutPlain(length), vectors);
}

/**
 * Uploads rows `[count, layout.length]` f32, row-major, into the storage that the engine chooses on this adapter; the caller disposes them.
 *
 * @throws {OutOfMemoryError} if the device has no room for them.
 */
export async function uploadRows(
  gpu: Gpu,
  layout: RowLayout,
  values: Float32Array,
): Promise<PackedRows> {
  const variant = await chooseVariant(gpu, layout);
  const count = values.length / layout.length;
  using stack = new DisposableStack();
  const rows = stack.use(
    await gpu.allocate("upload rows", () => new PackedRows(gpu, layout, count, { variant })),
  );
  const commands = gpu.record();
  for (const block of rows.blocks) {
    const first = block.firstRow * layout.length;
    const own = values.subarray(first, first + block.rowCount * layout.length);
    for (const slice of rows.slices) {
      const panels = gpu.upload("panels", packPanels(own, layout.length, slice));
      try {
        await rows.write(commands, block, { slice, panels, first: 0, count: block.panelCount });
      } finally {
        gpu.destroyBuffer(panels);
      }
    }
  }
  stack.move();
  return rows;
}

/** Packs rows `[count, rowLength]`, row-major, or a slice of their elements, into panels of 64 rows, k-major, with zeros after the last row. */
export function packPanels(
  rows: Float32Array,
  rowLength: number,
  { offset, length } = { offset: 0, length: rowLength },
): Float32Array<ArrayBuffer> {
  const count = rows.length / rowLength;
  const panels = new Float32Array(padRows(count) * length);
  for (let n = 0; n < count; n++) {
    const to = Math.floor(n / PANEL_ROWS) * PANEL_ROWS * length + n % PANEL_ROWS;
    const from = n * rowLength + offset;
    for (let k = 0; k < length; k++) panels[to + k * PANEL_ROWS] = rows[from + k];
  }
  return panels;
}
