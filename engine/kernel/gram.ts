/**
 * Gram matrices of packed rows, tile by tile.
 *
 * @module
 */
import { refuseSurplus } from "../options.ts";
import { type PlannedLaunch, recordLaunches } from "../gpu/commands.ts";
import { hold } from "../gpu/held.ts";
import { type CallOptions, interruptWith, type OnProgress, Pace } from "../gpu/pace.ts";
import { PANEL_ROWS } from "../rows/blocks.ts";
import { Products } from "../rows/products.ts";
import { checkRows, type PackedRows, type Rows } from "../rows/rows.ts";
import { type DeviceTile, TileSweep } from "../rows/tiles.ts";

/** A rectangle of a kernel matrix on the host. */
export interface Tile {
  /** Row of the matrix at the tile's top. */
  readonly firstRow: number;
  /** Column of the matrix at the tile's left. */
  readonly firstColumn: number;
  /** Number of rows of the tile. */
  readonly rowCount: number;
  /** Number of columns of the tile. */
  readonly columnCount: number;
  /**
   * Entries `[rowCount, columnCount]`, row-major with rows `stride` elements apart. Those that `computeTiles` yields are overwritten by the tile
   * after the next.
   */
  readonly values: Float32Array | Float64Array;
  /** Number of elements from the beginning of a row in `values` to that of the next, at least `columnCount`. */
  readonly stride: number;
  /** Whether the tile also stands for its transpose on the other side of the diagonal, which no other tile holds. */
  readonly mirrored: boolean;
}

/**
 * Computes every tile on and above the diagonal of `rows . rows^T` and hands each to an epilogue, which plans the launches that are to happen
 * to it; both go to the device without a wait for a result, and nothing comes back.
 *
 * Costs `N^2 * length` FLOP; holds one tile, at most 64 MiB, on the device.
 */
export async function foldTiles(
  rows: PackedRows,
  epilogue: (tile: DeviceTile) => PlannedLaunch[],
  onProgress?: OnProgress,
): Promise<void> {
  using sweep = await rows.gpu.allocate("compute tiles", () => new TileSweep(rows, rows));
  const pace = new Pace(rows.gpu);
  const commands = rows.gpu.record();
  const count = sweep.places.length;
  for (let index = 0; index < count; index++) {
    const tile = sweep.tileAt(index);
    let done = index;
    for (const share of sweep.record(commands, tile)) {
      commands.submit();
      done = index + share;
      if (await pace.step()) onProgress?.(done, count);
    }
    for (const _ of recordLaunches(commands, epilogue(tile))) {
      commands.submit();
      if (await pace.step()) onProgress?.(done, count);
    }
    commands.submit();
    if (await pace.step()) onProgress?.(index + 1, count);
  }
  await rows.gpu.finish();
  onProgress?.(count, count);
}

/**
 * Computes the tiles of `rows . columns^T` one after another; without `columns` those of the symmetric matrix on and above the diagonal.
 *
 * Costs `2 * N * N' * length` FLOP, half of it when symmetric; holds one tile, at most 64 MiB, on the device and two on the host.
 *
 * @param isWanted selects tiles by their first row and column; the others are left out
 * @throws {RangeError} if the two sides come from networks of different layers, or are of different sketches or kinds.
 */
export async function* computeTiles(
  rows: PackedRows,
  columns: PackedRows = rows,
  onProgress?: OnProgress,
  isWanted: (firstRow: number, firstColumn: number) => boolean = () => true,
): AsyncGenerator<Tile> {
  const { gpu } = rows;
  using sweep = await gpu.allocate(
    "compute tiles",
    () => new TileSweep(rows, columns, isWanted),
  );
  const pace = new Pace(gpu);
  const commands = rows.gpu.record();
  const count = sweep.places.length;
  let handedOut = 0;
  // one that the caller has, and one for the next
  const memories: ArrayBuffer[] = [];
  const compute = async (index: number): Promise<DeviceTile | undefined> => {
    if (index === count) return undefined;
    const tile = sweep.tileAt(index);
    for (const share of sweep.record(commands, tile)) {
      commands.submit();
      // half of what is computed beside half of what is handed out, which is a tile behind
      if (await pace.step()) onProgress?.((index + share + handedOut) / 2, count);
    }
    commands.submit();
    return tile;
  };
  for (let current = await compute(0); current;) {
    const { left, right, tile, diagonal, index } = current;
    const [height, stride] = [left, right].map(({ panelCount }) => panelCount * PANEL_ROWS);
    const memory = memories[index % 2] ??= new ArrayBuffer(tile.size);
    const reading = rows.gpu.read(tile, height * stride * 4, 0, memory);
    // what it throws is thrown below, once the next tile is computed
    reading.catch(() => {});
    try {
      // the device goes on while the host takes what has been copied
      current = await compute(index + 1);
    } finally {
      // not even a failure leaves a copy on its way
      await reading;
    }
    const values = new Float32Array(await reading, 0, height * stride);
    if (diagonal) mirrorPanels(values, stride);
    yield {
      firstRow: left.firstRow,
      firstColumn: right.firstRow,
      rowCount: left.rowCount,
      columnCount: right.rowCount,
      values,
      stride,
      mirrored: columns === rows && !diagonal,
    };
    onProgress?.(++handedOut, count);
  }
}

/** Computes one row of the matrix `rows . rows^T`, the similarities of a sample to all, `[N]` f32. */
export async function computeGramRow(
  rows: PackedRows,
  sample: number,
): Promise<Float32Array<ArrayBuffer>> {
  const { gpu, blocks } = rows;
  const row = new Float32Array(rows.count);
  const left = blocks.find(({ firstRow, rowCount }) => sample < firstRow + rowCount)!;
  const panel = Math.floor((sample - left.firstRow) / PANEL_ROWS);
  const top = panel - panel % 2;
  const most = Math.max(...blocks.map(({ panelCount }) => panelCount));
  using held = await hold(gpu, "compute a row of the kernel", (own, stack) => ({
    tile: own(gpu.createBuffer("tile", 2 * most * PANEL_ROWS * PANEL_ROWS * 4)),
    products: stack.use(new Products(rows, rows)),
  }));
  const { products, tile } = held;
  for (const right of blocks) {
    const width = right.panelCount;
    const pairs = Array.from({ length: width }, (_, column) => ({ row: panel, column }));
    const commands = gpu.record();
    const target = { tile, top, left: 0, width };
    for (const _ of products.record(commands, left, right, pairs, target)) commands.submit();
    commands.submit();
    const offset = (sample - left.firstRow - top * PANEL_ROWS) * width * PANEL_ROWS * 4;
    row.set(new Float32Array(await gpu.read(tile, right.rowCount * 4, offset)), right.firstRow);
  }
  return row;
}

/**
 * Computes the whole kernel matrix `rows . columns^T`, `[N, N']` f32, row-major; a symmetric one is bit-identical on both sides of the diagonal.
 *
 * Costs `2 * N * N' * length` FLOP, half of it when symmetric; holds one tile, at most 64 MiB, beside the matrix.
 *
 * @throws {TypeError} if either side is no rows.
 * @throws {RangeError} if the matrix is larger than an array can be, or the sides are of different layers, sketches or kinds.
 */
export async function computeGram(
  rows: Rows,
  columns: Rows = rows,
  options: CallOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  refuseSurplus("compute a kernel", arguments, 3);
  const report = interruptWith("compute a kernel", options);
  checkRows("compute a kernel", rows);
  checkRows("compute a kernel", columns);
  const matrix = new Float32Array(rows.count * columns.count);
  for await (const tile of computeTiles(rows, columns, report)) {
    storeTile(tile, matrix, columns.count);
  }
  return matrix;
}

/** Copies the panels above the diagonal of a square tile, transposed, to below it. */
function mirrorPanels(values: Float32Array, size: number): void {
  for (let row = 0; row < size; row += PANEL_ROWS) {
    for (let column = row + PANEL_ROWS; column < size; column += PANEL_ROWS) {
      transposePanel(values, row * size + column, size, values, column * size + row, size);
    }
  }
}

/** Writes the transpose of the square of a panel's side at index `from` to index `to`; rows are `fromStride` and `toStride` elements apart. */
function transposePanel(
  source: ArrayLike<number>,
  from: number,
  fromStride: number,
  target: Float32Array,
  to: number,
  toStride: number,
  height = PANEL_ROWS,
  width = PANEL_ROWS,
): void {
  // written row by row: cache lines that are read again stay in the cache, those that get one element each would not
  for (let j = 0; j < width; j++) {
    for (let i = 0; i < height; i++) {
      target[to + j * toStride + i] = source[from + i * fromStride + j];
    }
  }
}

/** Copies a tile, and its transpose if it is mirrored, into a matrix with `width` columns. */
function storeTile(tile: Tile, matrix: Float32Array, width: number): void {
  const { firstRow, firstColumn, rowCount, columnCount, values, stride, mirrored } = tile;
  for (let i = 0; i < rowCount; i++) {
    const row = values.subarray(i * stride, i * stride + columnCount);
    matrix.set(row, (firstRow + i) * width + firstColumn);
  }
  if (!mirrored) return;
  // square by square, so that cache lines of both sides stay in the cache
  for (let i = 0; i < rowCount; i += PANEL_ROWS) {
    for (let j = 0; j < columnCount; j += PANEL_ROWS) {
      transposePanel(
        values,
        i * stride + j,
        stride,
        matrix,
        (firstColumn + j) * width + firstRow + i,
        width,
        Math.min(PANEL_ROWS, rowCount - i),
        Math.min(PANEL_ROWS, columnCount - j),
      );
    }
  }
}
