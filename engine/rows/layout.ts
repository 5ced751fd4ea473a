/**
 * The layout of a packed row: which numbers of a sample's signed projection stand where.
 *
 * The gradient of a layer's weights is a sum of outer products over its output positions. A layer with one position (dense) keeps the
 * two factors, so that the product of two rows is `(a . a') (d . d')`; a layer with many (convolution) keeps the contracted gradient, or,
 * where that takes fewer multiplications, the factors of every position: `sum_pq (a_p . a'_q) (d_p . d'_q)`. Either is exact. LeNet-5's
 * 61,706 parameters become 3,393 numbers, ResNet-18's 11 million 3.1 million.
 *
 * @module
 */
import type { ConvolutionGeometry } from "../operations/convolution_geometry.ts";
import type { LayerShape } from "../network/network.ts";

/** One layer's place in a packed row. */
export type Segment = PlainSegment | FactoredSegment;

/** What every segment says. */
export interface SegmentOwner {
  /** Name of the layer. */
  readonly layer: string;
  /** Whether random projections stand for the layer's own numbers. */
  readonly isSketched?: boolean;
}

/** The gradient itself. */
export interface PlainSegment extends SegmentOwner {
  /** Contracted over the output positions. */
  readonly kind: "plain";
  /** First number in the row. */
  readonly offset: number;
  /** `(k * k * in + 1) * out` numbers, the bias's last. */
  readonly length: number;
}

/** The two factors whose products, summed over the positions, are the gradient. */
export interface FactoredSegment extends SegmentOwner {
  /** Kept as factors. */
  readonly kind: "factored";
  /** First number of the first position's `a`, which its `d` follows, and then the next position. */
  readonly offset: number;
  /** Output positions: 1 for a dense layer. */
  readonly positions: number;
  /** Length of `a`, what the layer sees at a position and a one for the bias. */
  readonly inputs: number;
  /** Length of `d`, the layer's delta. */
  readonly outputs: number;
}

/** Which random projections make sketched rows. */
export interface Sketch {
  /** Numbers of a row, and multiplications of a product of two, at most. */
  readonly dimension: number;
  /** Integer that the projections are drawn by; rows of two seeds may not be multiplied. */
  readonly seed: number;
}

/** Segments of a row, in the order of the network's layers. */
export interface RowLayout {
  /** Where each layer stands in a row. */
  readonly segments: readonly Segment[];
  /** Numbers in a row. */
  readonly length: number;
  /** Of rows that are sketched: products with others mean nothing. */
  readonly sketch?: Sketch;
}

/** Filter taps of a convolution without its bias: `k * k * in`. */
export function countTaps(geometry: ConvolutionGeometry): number {
  return geometry.kernel_height * geometry.kernel_width * geometry.in_channels;
}

/** How convolutions are kept: `cheapest` is whichever takes fewer multiplications for a product of two rows. */
export type ConvolutionForm = "cheapest" | "contracted" | "factored";

/** Lays out the rows of a network. */
export function layOutRow(
  layers: readonly LayerShape[],
  form: ConvolutionForm = "cheapest",
): RowLayout {
  let offset = 0;
  const segments = layers.map((layer): Segment => {
    const segment = placeSegment(layer, form, offset);
    offset += measureSegment(segment);
    return segment;
  });
  return { segments, length: offset };
}

/** Numbers of a segment. */
export function measureSegment(segment: Segment): number {
  return segment.kind === "plain"
    ? segment.length
    : segment.positions * (segment.inputs + segment.outputs);
}

/** Multiplications of a product of two rows. */
export function countProducts({ segments }: RowLayout): number {
  return segments.reduce((sum, segment) => sum + countSegmentProducts(segment), 0);
}

function countSegmentProducts(segment: Segment): number {
  return segment.kind === "plain"
    ? segment.length
    : segment.positions ** 2 * (segment.inputs + segment.outputs);
}

/** Neighbouring numbers of a row that a kernel reads in one launch. */
export interface RowSlice {
  /** Number of the slice, from 0. */
  readonly index: number;
  /** First number in the row. */
  readonly offset: number;
  /** Numbers of the row. */
  readonly length: number;
  /** Rows that the slice is for the kernels: 1, or one for each position of a convolution that is kept factored. */
  readonly positions: number;
  /** Numbers of one of them. */
  readonly lines: number;
  /**
   * The segment table that the kernels read, `[parts, 4]` u32: a part's offset in the slice, its length, 1 where a sum begins with it, and
   * how it ends, as `shared/parts.wgsl` says: 0 goes on, 1 adds, 2 multiplies.
   */
  readonly table: Uint32Array<ArrayBuffer>;
}

/**
 * Numbers that the kernels sum one by one at most. The error of a sum in float32 grows with its length: over 60,000 numbers around 0.13 one
 * sum was off by 5e-4, sums of 256 that are added up are by less than 5e-6.
 */
const PART_LENGTH = 256;

/** Numbers of a plain entry at most: the sums of its parts are added up before they are added to those of other entries. */
const ENTRY_LENGTH = 16 * PART_LENGTH;

/**
 * Parts of a slice at most: a kernel's loops take a step for each part and for each number, and a driver ends them after 65,535 steps
 * together, of which 65,000 are for numbers (`variants.ts`).
 */
const SLICE_PARTS = 500;

/** How a part ends, as `shared/parts.wgsl` says. */
const GOES_ON = 0;
const ADDS = 1;
const MULTIPLIES = 2;

/** Positions of a convolution that is kept factored, at most: their products are summed from a tile of their own. */
export const MAX_POSITIONS = 16;

/**
 * Cuts rows into slices of at most `limit` numbers; one entry more than that is a slice of its own, and so is a convolution that is kept
 * factored. Entries do not depend on the limit, and kernels add them up one by one: products of rows are the same to the last bit wherever
 * they are cut.
 */
export function sliceRow(layout: RowLayout, limit: number): RowSlice[] {
  const slices: { first: Entry; end: number; parts: Part[] }[] = [];
  for (const entry of listEntries(layout)) {
    const end = entry.offset + entry.positions * (entry.inputs + entry.outputs);
    const parts = listParts(entry);
    const last = slices.at(-1);
    const fits = last && last.first.positions === 1 && entry.positions === 1 &&
      end - last.first.offset <= limit && last.parts.length + parts.length <= SLICE_PARTS;
    if (fits) {
      last.parts.push(...parts);
      last.end = end;
    } else {
      slices.push({ first: entry, end, parts });
    }
  }
  return slices.map(({ first: { offset, positions }, end, parts }, index) => {
    const length = end - offset;
    const table = parts.flatMap(([start, ...rest]) => [start - offset, ...rest]);
    return {
      index,
      offset,
      length,
      positions,
      lines: length / positions,
      table: new Uint32Array(table),
    };
  });
}

/** A line of the segment table, its offset counted in the row. */
type Part = readonly [offset: number, length: number, begins: number, end: number];

/** The parts of an entry, of a's first position and then of its d. */
function listParts({ offset, inputs, outputs }: Entry): Part[] {
  const cut = (start: number, length: number) =>
    Array.from({ length: Math.ceil(length / PART_LENGTH) }, (_, i) => {
      const done = i * PART_LENGTH;
      return [start + done, Math.min(length - done, PART_LENGTH)] as const;
    });
  const last = Math.ceil(inputs / PART_LENGTH) - 1;
  return [
    ...cut(offset, inputs).map((part, i): Part => [
      ...part,
      i === 0 ? 1 : 0,
      outputs === 0 && i === last ? ADDS : GOES_ON,
    ]),
    ...cut(offset + inputs, outputs).map((part): Part => [...part, 0, MULTIPLIES]),
  ];
}

/** What the kernels compute one by one: `a`, which `d` follows unless it is plain, for each position. */
interface Entry {
  readonly offset: number;
  readonly positions: number;
  readonly inputs: number;
  /** 0: plain. */
  readonly outputs: number;
}

/** What plain neighbours hold together is cut anew. */
function listEntries({ segments }: RowLayout): Entry[] {
  const entries: (Entry & { inputs: number })[] = [];
  for (const segment of segments) {
    const { offset } = segment;
    const last = entries.at(-1);
    if (segment.kind === "factored") {
      entries.push({ ...segment });
    } else if (last?.outputs === 0 && last.offset + last.inputs === offset) {
      last.inputs += segment.length;
    } else {
      entries.push({ offset, positions: 1, inputs: segment.length, outputs: 0 });
    }
  }
  return entries.flatMap(cutEntry);
}

function cutEntry(entry: Entry): Entry[] {
  const { offset, inputs, outputs } = entry;
  if (outputs > 0) return [entry];
  return Array.from({ length: Math.ceil(inputs / ENTRY_LENGTH) }, (_, i) => {
    const done = i * ENTRY_LENGTH;
    return { ...entry, offset: offset + done, inputs: Math.min(inputs - done, ENTRY_LENGTH) };
  });
}

function placeSegment(layer: LayerShape, form: ConvolutionForm, offset: number): Segment {
  const bias = layer.bias ? 1 : 0;
  if (layer.kind === "dense") {
    const inputs = layer.inputs + bias;
    const { name, outputs } = layer;
    return { layer: name, kind: "factored", offset, positions: 1, inputs, outputs };
  }
  const { out_height, out_width, out_channels: outputs } = layer.geometry;
  const inputs = countTaps(layer.geometry) + bias;
  const plain = { layer: layer.name, kind: "plain", offset, length: inputs * outputs } as const;
  const positions = out_height * out_width;
  if (form === "contracted" || positions > MAX_POSITIONS) return plain;
  const factored = {
    layer: layer.name,
    kind: "factored",
    offset,
    positions,
    inputs,
    outputs,
  } as const;
  if (form === "factored") return factored;
  return countSegmentProducts(factored) < countSegmentProducts(plain) ? factored : plain;
}
