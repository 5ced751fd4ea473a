/**
 * Signed projections `phi(x, y) = s(y)^T dz(x)/dw / sqrt(C)` (equation 3, second line) of whole data sets.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import type { Dataset } from "../data/dataset.ts";
import type { Commands } from "../gpu/commands.ts";
import { kernels } from "../gpu/kernel_table.ts";
import type { LayerSignals, Network } from "../network/network.ts";
import type { Tensorflow } from "../network/tensorflow.ts";
import { checkFit, toImages } from "../network/training.ts";
import { countTaps, layOutRow, type RowLayout } from "./layout.ts";
import { PANEL_ROWS, planBatch } from "./plan.ts";
import { Rows } from "./rows.ts";
import { computeSelfSimilarity } from "./self_similarity.ts";

/**
 * Which combination of a sample's logits is differentiated: `lpntk` is `s(y) / sqrt(C)` (equation 2), `pntk` is `1 / sqrt(C)`, and an array
 * `[N, C]` f32, row-major, is used as it stands: one-hot rows give rows of the eNTK.
 */
export type Seeds = "lpntk" | "pntk" | Float32Array;

/** Batches between waits for the device: they keep the host from running far ahead, and cost 12 ms in Deno. */
const BATCHES_PER_WAIT = 8;

/** Says how far a long job has come. */
export type OnProgress = (done: number, total: number) => void;

/**
 * Projects every sample of a data set: one batched forward and backward pass for each batch, then one launch for each layer.
 *
 * @returns packed rows; the caller disposes them
 * @throws {DataError} if images or labels do not fit the network, `RangeError` if seeds do not fit the data set, `NonFiniteError` if a
 * projection overflows.
 */
export async function projectRows(
  tensorflow: Tensorflow,
  network: Network,
  data: Dataset,
  seeds: Seeds,
  onProgress?: OnProgress,
): Promise<Rows> {
  const count = data.labels.length;
  checkFit(network, data);
  checkSeeds(network, data, seeds);
  const layout = layOutRow(network.layers);
  const largest = Math.max(
    ...network.layers.map(({ outputShape }) => outputShape.reduce((a, b) => a * b, 1)),
  );
  const limit = tensorflow.gpu.device.limits.maxStorageBufferBindingSize;
  const batch = planBatch(largest, limit);
  const rows = new Rows(tensorflow.gpu, layout, count);
  let batches = 0;
  try {
    for (const block of rows.blocks) {
      for (let first = 0; first < block.rowCount; first += batch) {
        const samples = Math.min(batch, block.rowCount - first);
        const at = block.firstRow + first;
        const indices = Int32Array.from({ length: samples }, (_, i) => at + i);
        tf.tidy(() => {
          const values = drawSeeds(data, seeds, network.classes, indices);
          const seed = tf.tensor2d(values, [samples, network.classes]);
          const signals = network.signals(toImages(data, indices), seed);
          const commands = tensorflow.gpu.record();
          signals.forEach((signal, i) => {
            packLayer(tensorflow, commands, signal, layout, i, block.buffer, first);
          });
          tensorflow.flush();
          commands.submit();
          for (const { input, delta } of signals) tf.dispose([input, delta]);
        });
        batches++;
        if (batches % BATCHES_PER_WAIT === 0 || at + samples === count) {
          await tensorflow.gpu.finish();
        }
        onProgress?.(at + samples, count);
      }
    }
    // one not finite anywhere in a row shows here, before it spreads
    await computeSelfSimilarity(rows);
    return rows;
  } catch (error) {
    rows.dispose();
    throw error;
  }
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

/** Seeds `[B, C]` of some samples. */
function drawSeeds(
  data: Dataset,
  seeds: Seeds,
  classes: number,
  indices: Int32Array,
): Float32Array {
  if (typeof seeds !== "string") {
    return seeds.subarray(indices[0] * classes, (indices.at(-1)! + 1) * classes);
  }
  const scale = 1 / Math.sqrt(classes);
  const drawn = new Float32Array(indices.length * classes);
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
