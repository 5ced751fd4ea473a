/**
 * Layout of packed rows: which elements of a sample's gradient a row holds, and in which order.
 *
 * The gradient of a layer's weights is a sum of outer products over its output positions. Of a layer with one position (dense) a row holds the
 * two factors, so that the product of two rows is `(a . a') (d . d')`; of a layer with many (convolution) it holds the contracted gradient, or,
 * where that takes fewer multiplications, the factors of every position: `sum_pq (a_p . a'_q) (d_p . d'_q)`. Either is exact. LeNet-5's
 * 61,706 parameters become 3,393 elements, ResNet-18's 11 million 3.1 million.
 *
 * @module
 */
import type { ConvolutionGeometry } from "../operations/convolution_geometry.ts";
import { countElements } from "../formats/shape.ts";
import { geometryOf, type LayerShape } from "../network/layer.ts";

/** Segment of a packed row that belongs to one layer. */
export type Segment = PlainSegment | FactoredSegment;

/** Owner of a segment. */
export interface SegmentOwner {
  /** Name of the layer. */
  readonly layer: string;
  /** Whether the segment holds random projections of the layer's factors instead of the factors or the gradient. */
  readonly isSketched?: boolean;
}

/** Segment that holds the gradient itself. */
export interface PlainSegment extends SegmentOwner {
  /** Kind of the segment: the gradient is contracted over the positions. */
  readonly kind: "plain";
  /** Index of the first element in the row. */
  readonly offset: number;
  /** Number of elements: of a matrix of weights `(inputs + bias) * outputs`, the bias's last. */
  readonly length: number;
}

/** Segment that holds two factors, whose products, summed over the output positions, are the gradient. */
export interface FactoredSegment extends SegmentOwner {
  /** Kind of the segment: the gradient is kept as factors. */
  readonly kind: "factored";
  /** Index in the row of the first position's `a`, which its `d` follows, and then the next position. */
  readonly offset: number;
  /** Number of output positions: 1 for a dense layer over `[N, D]`. */
  readonly positions: number;
  /** Length of `a`, the input activations at a position and a one for the bias. */
  readonly inputs: number;
  /** Length of `d`, the output gradients at a position. */
  readonly outputs: number;
}

/** Random projections that make sketched rows. */
export interface Sketch {
  /** Largest number of elements in a row, and of multiplications for a product of two rows. */
  readonly dimension: number;
  /** Seed of the random projections, an integer from 0 to 2^32 - 1; rows of two seeds may not be multiplied. */
  readonly seed: number;
}

/** Segments of a row, in the order of the network's layers. */
export interface RowLayout {
  /** Segment of each layer. */
  readonly segments: readonly Segment[];
  /** Number of elements in a row. */
  readonly length: number;
  /** Sketch of the rows, with which alone their products are estimates of a kernel; undefined: rows are exact. */
  readonly sketch?: Sketch;
}

/** Counts the taps of one filter of a convolution without its bias: `kh * kw * in / groups`. */
export function countTaps(geometry: ConvolutionGeometry): number {
  const { kernel_height, kernel_width, in_channels, groups } = geometry;
  return kernel_height * kernel_width * in_channels / groups;
}

/**
 * Form in which rows hold convolutions: `contracted`, the gradient itself; `factored`, its two factors at each output position; or `cheapest`,
 * whichever takes fewer multiplications for a product of two rows.
 */
export type ConvolutionForm = "cheapest" | "contracted" | "factored";

/** Plans the row layout of a network's layers. */
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

/** Layout of a row of `length` elements in one plain segment. */
export function layOutPlain(length: number): RowLayout {
  return { segments: [{ layer: "plain", kind: "plain", offset: 0, length }], length };
}

/** Counts the elements of a segment. */
export function measureSegment(segment: Segment): number {
  return segment.kind === "plain"
    ? segment.length
    : segment.positions * (segment.inputs + segment.outputs);
}

/** Counts the multiplications for a product of two rows. */
export function countProducts({ segments }: RowLayout): number {
  return segments.reduce((sum, segment) => sum + countSegmentProducts(segment), 0);
}

function countSegmentProducts(segment: Segment): number {
  return segment.kind === "plain"
    ? segment.length
    : segment.positions ** 2 * (segment.inputs + segment.outputs);
}

/** A slice: neighbouring elements of a row that a kernel reads in one launch. */
export interface RowSlice {
  /** Index of the slice, from 0. */
  readonly index: number;
  /** Index of the slice's first element in the row. */
  readonly offset: number;
  /** Number of the row's elements in the slice. */
  readonly length: number;
  /** Number of rows that kernels see in the slice of one row: 1, or one for each position of a factored convolution. */
  readonly positions: number;
  /** Number of elements in each of these rows, over which the kernels' index k runs. */
  readonly lines: number;
  /**
   * Segment table that the kernels read, `[parts, 4]` u32: a part's offset in the slice, its length, 1 where a sum begins with it, and the
   * code of how it ends (`shared/parts.wgsl`): 0 goes on, 1 adds, 2 multiplies.
   */
  readonly table: Uint32Array<ArrayBuffer>;
}

/**
 * Largest number of elements that the kernels sum one by one. The error of a sum in float32 grows with its length: over 60,000 numbers around
 * 0.13 one sum was off by 5e-4, and the total of sums of 256 by less than 5e-6.
 */
const PART_LENGTH = 256;

/** Largest number of elements in a plain entry: the sums of its parts are added up before they are added to those of other entries. */
const ENTRY_LENGTH = 16 * PART_LENGTH;

/**
 * Largest number of parts in a slice: a kernel's loops take a step for each part and for each element, and a driver ends them after 65,535
 * steps together, of which 65,000 are for elements (`variants.ts`).
 */
const SLICE_PARTS = 500;

/** Codes of how a part ends, as `shared/parts.wgsl` reads them. */
const GOES_ON = 0;
const ADDS = 1;
const MULTIPLIES = 2;

/** Largest number of positions of a factored convolution: their products are summed from a tile of their own. */
export const MAX_POSITIONS = 16;

/**
 * Cuts rows into slices of at most `limit` elements; a longer entry is a slice of its own, and so is a factored convolution. Entries do not
 * depend on the limit, and kernels add them up one by one, so that products of rows are the same to the last bit wherever they are cut.
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

/** One part of the segment table, with its offset in the packed row. */
type Part = readonly [offset: number, length: number, begins: number, end: number];

/** Lists the parts of an entry: those of the first position's `a`, then those of its `d`. */
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

/** Elements whose products the kernels sum up before those of other entries: `a`, which `d` follows unless they are plain, for each position. */
interface Entry {
  readonly offset: number;
  readonly positions: number;
  readonly inputs: number;
  /** Length of `d`; 0 if the elements are plain. */
  readonly outputs: number;
}

/** Lists the entries of a row: adjacent plain segments are merged, then split again into entries of at most ENTRY_LENGTH. */
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
  const { name, kind, places } = layer;
  if (kind === "parameter") {
    return { layer: name, kind: "plain", offset, length: countElements(layer.outputShape) };
  }
  const geometry = geometryOf(layer);
  const { out_height, out_width, out_channels: outputs } = geometry;
  const inputs = countTaps(geometry) + (layer.bias ? 1 : 0);
  const positions = out_height * out_width;
  const plain = { layer: name, kind: "plain", offset, length: inputs * outputs } as const;
  const factored = { layer: name, kind: "factored", offset, positions, inputs, outputs } as const;
  if (kind === "dense" && positions === 1) return factored;
  // of a convolution at several places, whose images may differ in size, the places' gradients are added up
  const isJoined = kind === "convolution" && places > 1;
  // of a grouped convolution each group would have factors of its own
  const isGrouped = geometry.groups > 1;
  if (form === "contracted" || isJoined || isGrouped || positions > MAX_POSITIONS) return plain;
  if (form === "factored") return factored;
  return countSegmentProducts(factored) < countSegmentProducts(plain) ? factored : plain;
}
