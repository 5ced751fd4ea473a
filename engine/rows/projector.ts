/**
 * Computation of packed rows: forward and backward passes, and the launches that write their results to panels.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { type Dataset, indexSample } from "../data/dataset.ts";
import { NonFiniteError } from "../errors.ts";
import type { Commands } from "../gpu/commands.ts";
import { kernels } from "../../shaders/kernel_table.ts";
import { countConvolutionFlops } from "../operations/convolution_geometry.ts";
import { planFilterGradientLaunch } from "../operations/convolution_launch.ts";
import { geometryOf, type LayerShape } from "../network/layer.ts";
import type { DeviceNetwork, LayerFactors } from "../network/network.ts";
import type { FactorSketch } from "../network/factor_sketch.ts";
import type { Tensorflow } from "../operations/tensorflow.ts";
import { toImages } from "../network/inference.ts";
import {
  countTaps,
  measureSegment,
  type RowLayout,
  type RowSlice,
  type Segment,
} from "./layout.ts";
import { padRows, PANEL_ROWS } from "./blocks.ts";
import type { BoundSlice, KernelKind, RowBlock, RowSource, StagedPanels } from "./rows.ts";

/** Combination of each sample's logits that is differentiated: a kernel's, or cotangents `[N, C]` f32, row-major. */
export type Cotangents = KernelKind | Float32Array;

/** Options of a projector. */
export interface ProjectorOptions {
  readonly cotangents: Cotangents;
  /** Layers whose parameters are differentiated. */
  readonly layers: readonly LayerShape[];
  /** Layout of a row, with a segment for each chosen layer. */
  readonly layout: RowLayout;
  /** Largest number of images in one pass. */
  readonly batch: number;
  /** Whether the factors of smaller batches are held until a panel is full, so that no pass is repeated for each slice. Default false. */
  readonly holdsPanel?: boolean;
  /** Number of elements in the longest slice. */
  readonly longest: number;
  /** Random filters of the layers' factors, disposed with the projector. Default: none. */
  readonly sketch?: FactorSketch;
}

/**
 * Computes packed rows of a data set batch by batch: one forward and backward pass, then the launches that write slices of every layer's
 * segment. Holds staging panels for one batch of the longest slice.
 */
export class Projector implements RowSource {
  readonly #staging: GPUBuffer;
  /** Number of rows that are staged together, in whole panels. */
  readonly #height: number;
  readonly #rowsPerSample: number;

  constructor(
    private readonly tensorflow: Tensorflow,
    private readonly network: DeviceNetwork,
    private readonly data: Dataset,
    private readonly options: ProjectorOptions,
  ) {
    const { gpu } = tensorflow;
    this.#rowsPerSample = options.cotangents === "entk" ? network.classes : 1;
    this.#height = Math.max(options.batch, PANEL_ROWS);
    this.#staging = gpu.createBuffer("staged rows", 4 * this.#height * options.longest);
  }

  *fill(
    commands: Commands,
    block: RowBlock,
    slices: readonly BoundSlice[],
  ): Generator<StagedPanels> {
    const { batch, holdsPanel = false } = this.options;
    const height = this.#height;
    // passes that fill whole panels serve all slices; smaller ones whose factors are not held are repeated for each slice
    const isRepeated = batch < PANEL_ROWS && !holdsPanel;
    const turns = isRepeated ? slices.map((slice) => [slice]) : [slices];
    const step = holdsPanel ? PANEL_ROWS : batch;
    for (const turn of turns) {
      for (let first = 0; first < block.rowCount; first += step) {
        const end = Math.min(first + step, block.rowCount);
        const passes = new Map<number, LayerFactors[]>();
        // panels that rows do not fill are cleared; of full ones every element is written
        const isRagged = first % height === 0 && block.rowCount - first < height;
        try {
          for (let start = first; start < end; start += batch) {
            const length = Math.min(batch, end - start);
            const rows = Int32Array.from({ length }, (_, i) => block.firstRow + start + i);
            passes.set(start, this.#pass(rows));
            // what a pass no longer needs is free for the next one, whose factors are held beside its own, once it is submitted
            if (holdsPanel) this.tensorflow.flush();
          }
          for (const slice of turn) {
            if (isRagged) commands.clear(this.#staging);
            for (const [start, signals] of passes) {
              this.#stage(commands, signals, slice, start % height);
            }
            const isWhole = end % height === 0 || end === block.rowCount;
            const begin = Math.floor((end - 1) / height) * height;
            yield {
              slice,
              panels: this.#staging,
              first: begin / PANEL_ROWS,
              count: isWhole ? padRows(end - begin) / PANEL_ROWS : 0,
            };
          }
        } finally {
          for (const signals of passes.values()) disposeSignals(signals);
        }
      }
    }
  }

  /** Makes the error of a row that is not finite, which names the layer, or of one whose square is not finite. */
  async explain(row: number, slices: readonly BoundSlice[]): Promise<NonFiniteError> {
    const { data, tensorflow, options: { layout } } = this;
    const sample = Math.floor(row / this.#rowsPerSample);
    const numbers = new Float32Array(layout.length);
    const commands = tensorflow.gpu.record();
    const signals = this.#pass(Int32Array.of(row));
    for (const slice of slices) {
      commands.clear(this.#staging);
      this.#stage(commands, signals, slice, 0);
      commands.submit();
      const bytes = 4 * PANEL_ROWS * slice.length;
      const panel = new Float32Array(await tensorflow.gpu.read(this.#staging, bytes));
      for (let k = 0; k < slice.length; k++) {
        const position = Math.floor(k / slice.lines);
        numbers[slice.offset + k] = panel[k % slice.lines * PANEL_ROWS + position];
      }
    }
    disposeSignals(signals);
    return explainNonFinite(data, sample, layout, numbers);
  }

  /** Frees the staging panels and the sketch; a second time does nothing. */
  dispose(): void {
    this.tensorflow.gpu.destroyBuffer(this.#staging);
    this.options.sketch?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Runs one pass and returns the factors of every layer's gradients for some rows, which the caller disposes. */
  #pass(rows: Int32Array): LayerFactors[] {
    const { network, data, options: { sketch } } = this;
    const values = fillCotangents(data, this.options.cotangents, network.classes, rows);
    const cotangents = tf.tensor2d(values, [rows.length, network.classes]);
    const images = toImages(data, rows.map((row) => Math.floor(row / this.#rowsPerSample)));
    try {
      const signals = network.computeFactors(images, cotangents, this.options.layers);
      return sketch ? sketch.apply(signals) : signals;
    } finally {
      tf.dispose([cotangents, images]);
    }
  }

  /**
   * Submits the pass, whose buffers are asked for, and records the launches that write a slice of its rows, from row `first` of the staging
   * panels on. They are submitted later with the copy of the panels, or where they would be too long together, since on some drivers each
   * submission waits for the one before it, and the host with it.
   */
  #stage(
    commands: Commands,
    signals: readonly LayerFactors[],
    slice: BoundSlice,
    first: number,
  ): void {
    const { tensorflow, options: { layers, layout } } = this;
    const rows = this.#staging;
    signals.forEach((signal, i) => {
      // of a layer at several places, the later ones are added
      const continues = signals[i - 1]?.layer.name === signal.layer.name;
      const segment = layout.segments[layers.findIndex(({ name }) => name === signal.layer.name)];
      packLayer(tensorflow, commands, signal, segment, { slice, rows, first, continues });
    });
  }
}

function disposeSignals(signals: readonly LayerFactors[]): void {
  for (const { input, delta } of signals) tf.dispose([input ?? [], delta]);
}

/** Makes the error of a row that is not finite, which names the layer, or of one whose square is not finite. */
function explainNonFinite(
  data: Dataset,
  sample: number,
  layout: RowLayout,
  row: Float32Array,
): NonFiniteError {
  const index = indexSample(data, sample);
  for (const segment of layout.segments) {
    for (let k = segment.offset; k < segment.offset + measureSegment(segment); k++) {
      const value = row[k];
      if (!Number.isFinite(value)) {
        return new NonFiniteError(
          `Cannot project ${data.name}: got ${value} in layer ${segment.layer} of sample ${index}, need finite numbers`,
          sample,
          segment.layer,
        );
      }
    }
  }
  return new NonFiniteError(
    `Cannot project ${data.name}: got a signed projection of sample ${index} whose square is beyond float32, need smaller weights`,
    sample,
  );
}

/** Records the launches that write one layer's part of a slice of rows to panels, from row `first` on, or that add it to what they `continue`. */
function packLayer(
  tensorflow: Tensorflow,
  commands: Commands,
  { layer, input, delta }: LayerFactors,
  segment: Segment,
  { slice, rows, first, continues }: {
    readonly slice: RowSlice;
    readonly rows: GPUBuffer;
    readonly first: number;
    readonly continues: boolean;
  },
): void {
  const samples = delta.shape[0];
  const offset = segment.offset - slice.offset;
  const begin = Math.max(0, -offset);
  const end = Math.min(measureSegment(segment), slice.length - offset);
  if (begin >= end) return;
  const row_length = slice.lines;
  const bias = layer.bias ? 1 : 0;
  // numbers are read and written
  const measureReads = (count: number) => 8 * count / tensorflow.gpu.rates.reads;
  /** Copies elements `from` to `to` of each of `count` vectors, and a one for a bias. */
  const copy = (
    values: tf.Tensor,
    count: number,
    { from = 0, to, bias = 0, offset, firstRow }: {
      from?: number;
      to: number;
      bias?: number;
      offset: number;
      firstRow: number;
    },
  ) => {
    const length = to - from;
    commands.run(
      kernels.project_factored,
      {
        sample_count: count,
        width: values.size / count,
        first: from,
        length,
        bias,
        first_row: firstRow,
        row_length,
        offset,
      },
      { values: tensorflow.bufferOf(values), rows },
      Math.ceil(count * (length + bias) / 64),
      measureReads(count * (length + bias)),
    );
  };
  if (layer.kind === "parameter") {
    copy(delta, samples, { from: begin, to: end, offset: offset + begin, firstRow: first });
    return;
  }
  const geometry = geometryOf(layer);
  const inputs = tensorflow.bufferOf(input!);
  if (segment.kind === "factored") {
    const { positions } = segment;
    const vectors = { count: samples * positions, firstRow: first * positions };
    if (layer.kind === "dense") {
      copy(input!, vectors.count, { to: layer.inputs, bias, offset, firstRow: vectors.firstRow });
    } else {
      commands.run(
        kernels.project_patches,
        {
          sample_count: samples,
          first_sample: first,
          ...geometry,
          tap_count: countTaps(geometry),
          bias,
          row_length,
          offset,
        },
        { inputs, rows },
        Math.ceil(samples * positions * segment.inputs / 64),
        measureReads(samples * positions * segment.inputs),
      );
    }
    copy(delta, vectors.count, {
      to: segment.outputs,
      offset: offset + segment.inputs,
      firstRow: vectors.firstRow,
    });
    return;
  }
  const { kernel, params, workgroups } = planFilterGradientLaunch({
    sample_count: samples,
    group_count: samples,
    group_samples: 1,
    first_group: first,
    ...geometry,
    first: begin,
    end,
    panel_stride: row_length * PANEL_ROWS,
    group_stride: 1,
    element_stride: PANEL_ROWS,
    offset,
    continues,
  });
  const ms = samples * countConvolutionFlops(geometry) / tensorflow.gpu.rates.convolutions;
  const deltas = tensorflow.bufferOf(delta);
  commands.run(kernel, params, { inputs, deltas, gradients: rows }, workgroups, ms);
}

/** Fills the cotangents `[B, C]` of some rows, f32, row-major. */
export function fillCotangents(
  data: Dataset,
  cotangents: Cotangents,
  classes: number,
  indices: Int32Array,
): Float32Array {
  if (typeof cotangents !== "string") {
    return cotangents.subarray(indices[0] * classes, (indices.at(-1)! + 1) * classes);
  }
  const filled = new Float32Array(indices.length * classes);
  if (cotangents === "entk") {
    indices.forEach((row, i) => filled[i * classes + row % classes] = 1);
    return filled;
  }
  const scale = 1 / Math.sqrt(classes);
  filled.fill(cotangents === "lpntk" ? -scale : scale);
  indices.forEach((sample, i) => filled[i * classes + data.labels[sample]] = scale);
  return filled;
}
