/**
 * Signed projections `phi(x, y) = s(y)^T dz(x)/dw / sqrt(C)` (equation 3, second line) of whole data sets.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Dataset } from "../data/dataset.ts";
import type { Commands } from "../gpu/commands.ts";
import { DataError, NonFiniteError } from "../errors.ts";
import { kernels } from "../gpu/kernel_table.ts";
import { type OnProgress, Pace } from "../gpu/pace.ts";
import type { LayerShape, LayerSignals, Network } from "../network/network.ts";
import type { Tensorflow } from "../network/tensorflow.ts";
import { checkFit, toImages } from "../network/training.ts";
import { countTaps, layOutRow, measureSegment, type RowLayout } from "./layout.ts";
import { padRows, PANEL_ROWS, planBatch, planRows } from "./plan.ts";
import { Rows } from "./rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";
import { chooseVariant } from "./tuning.ts";

/**
 * Which combination of a sample's logits is differentiated: `lpntk` is `s(y) / sqrt(C)` (equation 2), `pntk` is `1 / sqrt(C)`, and an array
 * `[N, C]` f32, row-major, is used as it stands. `entk` gives C rows a sample, one for each of its logits alone.
 */
export type Seeds = "lpntk" | "pntk" | "entk" | Float32Array;

/** How to project. */
export interface ProjectionOptions {
  readonly seeds: Seeds;
  /** Names of the layers whose parameters count: a kernel is the sum of its layers' kernels. Default: all. */
  readonly layers?: readonly string[];
  /** Scales every row by `1 / sqrt(kappa(x, x))`, so that products of rows are cosines. Default: no. */
  readonly normalise?: boolean;
  /** What the process and the device may hold together, in bytes; rows that do not fit go to a file. Default: no bound. */
  readonly memoryBytes?: number;
  /** Rows of one block, in whole panels of 64. Default: the largest that fit. */
  readonly blockRows?: number;
  readonly onProgress?: OnProgress;
}

/**
 * Projects every sample of a data set: one batched forward and backward pass for each batch, then one launch for each layer; normalised
 * rows take the passes twice, since a row is linear in its seed and its length is known only after the first.
 *
 * @returns packed rows; the caller disposes them
 * @throws {DataError} if images or labels do not fit the network, or a projection to be normalised is zero, `RangeError` if seeds do not
 * fit the data set, there is no layer of a name, blocks are no whole panels or the memory budget is too small, `NonFiniteError` if a projection overflows; the message
 * names the sample and the layer.
 */
export async function projectRows(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  options: ProjectionOptions,
): Promise<Rows> {
  if (!options.normalise) return await projectSeeds(tensorflow, network, data, options);
  const { seeds, onProgress } = options;
  const pass = (seeds: Seeds, passesBefore: number) =>
    projectSeeds(tensorflow, network, data, {
      ...options,
      seeds,
      onProgress: (done, total) => onProgress?.(passesBefore * total + done, 2 * total),
    });
  const similarity = await (async () => {
    using rows = await pass(seeds, 0);
    return await computeSelfSimilarity(rows);
  })();
  return await pass(scaleSeeds(data, seeds, network.classes, similarity), 1);
}

/** Seeds of rows of length 1, given the squared lengths of the rows of `seeds`. */
function scaleSeeds(
  data: Dataset,
  seeds: Seeds,
  classes: number,
  similarity: Float32Array,
): Float32Array {
  const zero = similarity.indexOf(0);
  if (zero >= 0) {
    throw new DataError(
      `Cannot normalise ${data.name}: got a signed projection of zeros for sample ${zero}, need one that has a direction`,
    );
  }
  const all = Int32Array.from(data.labels.keys());
  return drawSeeds(data, seeds, classes, all).map((seed, i) =>
    seed / Math.sqrt(similarity[Math.floor(i / classes)])
  );
}

async function projectSeeds(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  { seeds, layers, memoryBytes, blockRows: wantedRows, onProgress }: ProjectionOptions,
): Promise<Rows> {
  const rowsPerSample = seeds === "entk" ? network.classes : 1;
  const count = data.labels.length * rowsPerSample;
  checkFit(network, data);
  checkSeeds(network, data, seeds);
  if (wantedRows !== undefined) checkBlockRows(data, wantedRows);
  const chosen = chooseLayers(network, layers);
  const layout = layOutRow(chosen);
  const largest = Math.max(
    ...network.layers.map(({ outputShape }) => outputShape.reduce((a, b) => a * b, 1)),
  );
  const limit = tensorflow.gpu.device.limits.maxStorageBufferBindingSize;
  const batch = planBatch(largest, limit);
  const { gpu } = tensorflow;
  const variant = await chooseVariant(gpu, layout.length);
  // whole panels, filled batch by batch before they go to their place
  const height = Math.max(batch, PANEL_ROWS);
  using stack = new DisposableStack();
  const staging = stack.adopt(
    gpu.createBuffer("staged rows", 4 * height * layout.length),
    (buffer) => gpu.destroyBuffer(buffer),
  );
  const pace = new Pace(gpu);
  const { blockRows, residence } = planRows({
    count,
    rowLength: layout.length,
    bindingBytes: limit,
    blockRows: wantedRows,
    memoryBytes,
    usedBytes: gpu.liveBytes,
  });
  const rows = new Rows(gpu, layout, count, { variant, blockRows, residence, rowsPerSample });
  const commands = gpu.record();
  const stage = (indices: Int32Array, first: number) =>
    tf.tidy(() => {
      const values = drawSeeds(data, seeds, network.classes, indices);
      const seed = tf.tensor2d(values, [indices.length, network.classes]);
      const samples = indices.map((row) => Math.floor(row / rowsPerSample));
      const signals = network.signals(toImages(data, samples), seed);
      if (first === 0) commands.clear(staging);
      for (const signal of signals) {
        const index = chosen.indexOf(signal.layer);
        if (index >= 0) packLayer(tensorflow, commands, signal, layout, index, staging, first);
      }
      tensorflow.flush();
      commands.submit();
      for (const { input, delta } of signals) tf.dispose([input, delta]);
    });
  try {
    for (const block of rows.blocks) {
      for (let first = 0; first < block.rowCount; first += batch) {
        const size = Math.min(batch, block.rowCount - first);
        const at = block.firstRow + first;
        const indices = Int32Array.from({ length: size }, (_, i) => at + i);
        stage(indices, first % height);
        const end = first + size;
        if (end % height === 0 || end === block.rowCount) {
          const begin = Math.floor((end - 1) / height) * height;
          await rows.write(commands, staging, block, {
            first: begin / PANEL_ROWS,
            count: padRows(end - begin) / PANEL_ROWS,
          });
        }
        if (await pace.step()) onProgress?.(at + size, count);
      }
    }
    onProgress?.(count, count);
    // one not finite anywhere in a row shows here, before it spreads; products of rows are no larger than these
    await computeSelfSimilarity(rows);
    return rows;
  } catch (error) {
    rows.dispose();
    if (!(error instanceof NonFiniteError && error.sample !== undefined)) throw error;
    stage(Int32Array.of(error.sample), 0);
    const panel = new Float32Array(await gpu.read(staging, 4 * PANEL_ROWS * layout.length));
    throw explainNonFinite(data, Math.floor(error.sample / rowsPerSample), layout, panel);
  }
}

/** The layers of these names, in the network's order. */
function chooseLayers(network: Network, names: readonly string[] | undefined): LayerShape[] {
  const all = network.layers;
  const unknown = names?.find((name) => !all.some((layer) => layer.name === name));
  if (unknown !== undefined || names?.length === 0) {
    throw new RangeError(
      `Cannot project through layers of ${network.definition.name}: got ${
        unknown ?? "none"
      }, need some of ${all.map(({ name }) => name).join(", ")}`,
    );
  }
  return names ? all.filter(({ name }) => names.includes(name)) : all;
}

/** Says in which layer a projection is not finite, or that its square is not: `panel` holds it as its first row. */
function explainNonFinite(
  data: Dataset,
  sample: number,
  layout: RowLayout,
  panel: Float32Array,
): NonFiniteError {
  for (const segment of layout.segments) {
    for (let k = segment.offset; k < segment.offset + measureSegment(segment); k++) {
      const value = panel[k * PANEL_ROWS];
      if (!Number.isFinite(value)) {
        return new NonFiniteError(
          `Cannot project ${data.name}: got ${value} in layer ${segment.layer} of sample ${sample}, need finite numbers`,
          sample,
          segment.layer,
        );
      }
    }
  }
  return new NonFiniteError(
    `Cannot project ${data.name}: got a signed projection of sample ${sample} whose square is beyond float32, need smaller weights`,
    sample,
  );
}

/** Records the launches that write one layer's segment of `samples` rows, `first` rows into a block. */
function packLayer(
  tensorflow: Tensorflow,
  commands: Commands,
  { layer, input, delta }: LayerSignals,
  layout: RowLayout,
  index: number,
  rows: GPUBuffer,
  first: number,
): void {
  const segment = layout.segments[index];
  const samples = input.shape[0];
  const inputs = tensorflow.bufferOf(input);
  const deltas = tensorflow.bufferOf(delta);
  const bias = layer.bias ? 1 : 0;
  if (layer.kind === "dense" && segment.kind === "factored") {
    const { offset } = segment;
    const copy = (values: GPUBuffer, length: number, bias: number, offset: number) =>
      commands.run(
        kernels.project_factored,
        {
          sample_count: samples,
          length,
          bias,
          first_row: first,
          row_length: layout.length,
          offset,
        },
        { values, rows },
        Math.ceil(samples * (length + bias) / 64),
      );
    copy(inputs, layer.inputs, bias, offset);
    copy(deltas, layer.outputs, 0, offset + segment.inputs);
  } else if (layer.kind === "convolution") {
    const { geometry } = layer;
    const taps = countTaps(geometry);
    commands.run(
      kernels.filter_gradient,
      {
        sample_count: samples,
        group_count: samples,
        group_samples: 1,
        first_group: first,
        ...geometry,
        tap_count: taps,
        bias,
        panel_stride: layout.length * PANEL_ROWS,
        group_stride: 1,
        number_stride: PANEL_ROWS,
        offset: segment.offset,
      },
      { inputs, deltas, gradients: rows },
      Math.ceil(samples * Math.ceil((taps + bias) / 8) * Math.ceil(geometry.out_channels / 8) / 64),
    );
  }
}

/** Seeds `[B, C]` of some rows. */
function drawSeeds(
  data: Dataset,
  seeds: Seeds,
  classes: number,
  indices: Int32Array,
): Float32Array {
  if (typeof seeds !== "string") {
    return seeds.subarray(indices[0] * classes, (indices.at(-1)! + 1) * classes);
  }
  const drawn = new Float32Array(indices.length * classes);
  if (seeds === "entk") {
    indices.forEach((row, i) => drawn[i * classes + row % classes] = 1);
    return drawn;
  }
  const scale = 1 / Math.sqrt(classes);
  drawn.fill(seeds === "lpntk" ? -scale : scale);
  indices.forEach((sample, i) => drawn[i * classes + data.labels[sample]] = scale);
  return drawn;
}

function checkSeeds(network: Network, data: Dataset, seeds: Seeds): void {
  const { classes } = network;
  if (typeof seeds !== "string" && seeds.length !== data.labels.length * classes) {
    throw new RangeError(
      `Cannot project ${data.name}: got ${seeds.length} seeds, need ${data.labels.length} samples x ${classes} classes`,
    );
  }
}

function checkBlockRows(data: Dataset, blockRows: number): void {
  if (!(blockRows >= PANEL_ROWS && blockRows % PANEL_ROWS === 0)) {
    throw new RangeError(
      `Cannot project ${data.name}: got tiles of ${blockRows} rows, need a multiple of ${PANEL_ROWS}`,
    );
  }
}
