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
import {
  countTaps,
  layOutRow,
  measureSegment,
  type RowLayout,
  type RowSlice,
  type Segment,
} from "./layout.ts";
import { padRows, PANEL_ROWS, planBatch, planRows } from "./plan.ts";
import { type BoundSlice, Rows } from "./rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";
import { chooseVariant } from "./tuning.ts";
import { measureBinding } from "./variants.ts";

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
  const { gpu } = tensorflow;
  const batch = planBatch(largest, gpu.device.limits.maxStorageBufferBindingSize);
  const variant = await chooseVariant(gpu, layout);
  const { blockRows, residence } = planRows({
    count,
    layout,
    binding: measureBinding(gpu, variant.operands),
    blockRows: wantedRows,
    memoryBytes,
    usedBytes: gpu.liveBytes,
  });
  using stack = new DisposableStack();
  const rows = new Rows(gpu, layout, count, { variant, blockRows, residence, rowsPerSample });
  // whole panels, filled batch by batch before they go to their place
  const height = Math.max(batch, PANEL_ROWS);
  const longest = Math.max(...rows.slices.map(({ length }) => length));
  const staging = stack.adopt(
    gpu.createBuffer("staged rows", 4 * height * longest),
    (buffer) => gpu.destroyBuffer(buffer),
  );
  const pace = new Pace(gpu);
  const commands = gpu.record();
  const pass = (indices: Int32Array): LayerSignals[] => {
    const values = drawSeeds(data, seeds, network.classes, indices);
    const seed = tf.tensor2d(values, [indices.length, network.classes]);
    const samples = indices.map((row) => Math.floor(row / rowsPerSample));
    const images = toImages(data, samples);
    const signals = network.signals(images, seed);
    tf.dispose([seed, images]);
    return signals;
  };
  const stage = (signals: readonly LayerSignals[], slice: BoundSlice, first: number) => {
    if (first === 0) commands.clear(staging);
    for (const signal of signals) {
      const segment = layout.segments[chosen.indexOf(signal.layer)];
      if (segment) packLayer(tensorflow, commands, signal, segment, slice, staging, first);
    }
    tensorflow.flush();
    commands.submit();
  };
  const dispose = (signals: readonly LayerSignals[]) => {
    for (const { input, delta } of signals) tf.dispose([input, delta]);
  };
  // a pass serves all slices where it fills whole panels; smaller ones are repeated for each slice
  const turns = batch >= PANEL_ROWS ? [rows.slices] : rows.slices.map((slice) => [slice]);
  try {
    for (const block of rows.blocks) {
      for (const [turn, slices] of turns.entries()) {
        for (let first = 0; first < block.rowCount; first += batch) {
          const size = Math.min(batch, block.rowCount - first);
          const at = block.firstRow + first;
          const signals = pass(Int32Array.from({ length: size }, (_, i) => at + i));
          const end = first + size;
          for (const slice of slices) {
            stage(signals, slice, first % height);
            if (end % height === 0 || end === block.rowCount) {
              const begin = Math.floor((end - 1) / height) * height;
              await rows.write(commands, staging, [block, slice], {
                first: begin / PANEL_ROWS,
                count: padRows(end - begin) / PANEL_ROWS,
              });
            }
          }
          dispose(signals);
          const done = block.firstRow + (turn * block.rowCount + end) / turns.length;
          if (await pace.step()) onProgress?.(Math.floor(done), count);
        }
      }
    }
    onProgress?.(count, count);
    // one not finite anywhere in a row shows here, before it spreads; products of rows are no larger than these
    await computeSelfSimilarity(rows);
    return rows;
  } catch (error) {
    rows.dispose();
    if (!(error instanceof NonFiniteError && error.sample !== undefined)) throw error;
    const signals = pass(Int32Array.of(error.sample));
    const row = new Float32Array(layout.length);
    for (const slice of rows.slices) {
      stage(signals, slice, 0);
      const panel = new Float32Array(await gpu.read(staging, 4 * PANEL_ROWS * slice.length));
      for (let k = 0; k < slice.length; k++) row[slice.offset + k] = panel[k * PANEL_ROWS];
    }
    dispose(signals);
    throw explainNonFinite(data, Math.floor(error.sample / rowsPerSample), layout, row);
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

/** Says in which layer a projection is not finite, or that its square is not. */
function explainNonFinite(
  data: Dataset,
  sample: number,
  layout: RowLayout,
  row: Float32Array,
): NonFiniteError {
  for (const segment of layout.segments) {
    for (let k = segment.offset; k < segment.offset + measureSegment(segment); k++) {
      const value = row[k];
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

/** Records the launches that write a slice of one layer's segment of `samples` rows, `first` rows into a block. */
function packLayer(
  tensorflow: Tensorflow,
  commands: Commands,
  { layer, input, delta }: LayerSignals,
  segment: Segment,
  slice: RowSlice,
  rows: GPUBuffer,
  first: number,
): void {
  const samples = input.shape[0];
  const bias = layer.bias ? 1 : 0;
  const row_length = slice.length;
  const offset = segment.offset - slice.offset;
  if (layer.kind === "dense" && segment.kind === "factored") {
    if (offset < 0 || offset >= slice.length) return;
    const copy = (values: tf.Tensor, length: number, bias: number, offset: number) =>
      commands.run(
        kernels.project_factored,
        { sample_count: samples, length, bias, first_row: first, row_length, offset },
        { values: tensorflow.bufferOf(values), rows },
        Math.ceil(samples * (length + bias) / 64),
      );
    copy(input, layer.inputs, bias, offset);
    copy(delta, layer.outputs, 0, offset + segment.inputs);
  } else if (layer.kind === "convolution") {
    const { geometry } = layer;
    const begin = Math.max(0, -offset);
    const end = Math.min(measureSegment(segment), slice.length - offset);
    if (begin >= end) return;
    const taps = Math.ceil(end / geometry.out_channels) -
      Math.floor(begin / geometry.out_channels);
    commands.run(
      kernels.filter_gradient,
      {
        sample_count: samples,
        group_count: samples,
        group_samples: 1,
        first_group: first,
        ...geometry,
        tap_count: countTaps(geometry),
        first: begin,
        end,
        panel_stride: row_length * PANEL_ROWS,
        group_stride: 1,
        number_stride: PANEL_ROWS,
        offset,
      },
      { inputs: tensorflow.bufferOf(input), deltas: tensorflow.bufferOf(delta), gradients: rows },
      Math.ceil(samples * Math.ceil(taps / 8) * Math.ceil(geometry.out_channels / 8) / 64),
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
