/**
 * The layout of a packed row: which numbers of a sample's signed projection stand where.
 *
 * The gradient of a layer's weights is a sum of outer products over its output positions. A layer with one position (dense) keeps the
 * two factors, so that the product of two rows is `(a . a') (d . d')`; a layer with many (convolution) keeps the contracted gradient.
 * Either is exact. LeNet-5's 61,706 parameters become 3,393 numbers.
 *
 * @module
 */
import type { ConvolutionGeometry } from "../network/convolution.ts";
import type { LayerShape } from "../network/network.ts";

/** One layer's place in a packed row. */
export type Segment = {
  /** Name of the layer. */
  readonly layer: string;
} & SegmentPlace;

type SegmentPlace =
  | {
    readonly kind: "plain";
    /** First number in the row. */
    readonly offset: number;
    /** `(k * k * in + 1) * out` numbers, the bias's last. */
    readonly length: number;
  }
  | {
    readonly kind: "factored";
    /** First number of `a`, which `d` follows. */
    readonly offset: number;
    /** Length of `a`, the layer's input and a one for the bias. */
    readonly inputs: number;
    /** Length of `d`, the layer's delta. */
    readonly outputs: number;
  };

/** Segments of a row, in the order of the network's layers. */
export interface RowLayout {
  readonly segments: readonly Segment[];
  /** Numbers in a row. */
  readonly length: number;
}

/** Filter taps of a convolution without its bias: `k * k * in`. */
export function countTaps(geometry: ConvolutionGeometry): number {
  return geometry.kernel_height * geometry.kernel_width * geometry.in_channels;
}

/** Lays out the rows of a network. */
export function layOutRow(layers: readonly LayerShape[]): RowLayout {
  let offset = 0;
  const segments = layers.map((layer): Segment => {
    const segment = placeSegment(layer, offset);
    offset += measureSegment(segment);
    return segment;
  });
  return { segments, length: offset };
}

/** Numbers of a segment. */
export function measureSegment(segment: Segment): number {
  return segment.kind === "plain" ? segment.length : segment.inputs + segment.outputs;
}

/** Neighbouring numbers of a row that a kernel reads in one launch. */
export interface RowSlice {
  /** Number of the slice, from 0. */
  readonly index: number;
  /** First number in the row. */
  readonly offset: number;
  readonly length: number;
  /**
   * The segment table that the kernels read, `[entries, 4]` u32: offset in the slice and length of `a`, offset and length of `d`; a plain
   * entry has no `d`.
   */
  readonly table: Uint32Array<ArrayBuffer>;
}

/**
 * Numbers of a plain entry at most. Kernels sum an entry number by number and then add up entries, so that the error of a long row grows
 * with the longer of the two sums: a self-similarity of 40,000 squares in one sum was off by 2e-5.
 */
const ENTRY_LENGTH = 4096;

/**
 * Cuts rows into slices of at most `limit` numbers; one entry more than that is a slice of its own. Entries do not depend on the limit, and
 * kernels add them up one by one: products of rows are the same to the last bit wherever they are cut.
 */
export function sliceRow(layout: RowLayout, limit: number): RowSlice[] {
  const slices: { offset: number; length: number; entries: Entry[] }[] = [];
  for (const entry of listEntries(layout)) {
    const [offset, inputs, , outputs] = entry;
    const length = inputs + outputs;
    const last = slices.at(-1);
    if (last && offset + length - last.offset <= limit) {
      last.entries.push(entry);
      last.length = offset + length - last.offset;
    } else {
      slices.push({ offset, length, entries: [entry] });
    }
  }
  return slices.map(({ offset, length, entries }, index) => {
    const table = entries.flatMap(([a, inputs, d, outputs]) => [
      a - offset,
      inputs,
      outputs > 0 ? d - offset : 0,
      outputs,
    ]);
    return { index, offset, length, table: new Uint32Array(table) };
  });
}

/** Numbers of the longest entry, which a slice holds whole. */
export function measureLongestEntry(layout: RowLayout): number {
  return Math.max(...listEntries(layout).map(([, length, , outputs]) => length + outputs));
}

/** Offset in the row and length of `a`, offset and length of `d`. */
type Entry = readonly [number, number, number, number];

/** What the kernels sum one by one; what plain neighbours hold together is cut anew. */
function listEntries({ segments }: RowLayout): Entry[] {
  const entries: [number, number, number, number][] = [];
  for (const segment of segments) {
    const last = entries.at(-1);
    if (segment.kind === "factored") {
      const { offset, inputs, outputs } = segment;
      entries.push([offset, inputs, offset + inputs, outputs]);
    } else if (last?.[3] === 0 && last[0] + last[1] === segment.offset) {
      last[1] += segment.length;
    } else {
      entries.push([segment.offset, segment.length, 0, 0]);
    }
  }
  return entries.flatMap(cutEntry);
}

function cutEntry(entry: Entry): Entry[] {
  const [offset, length, , outputs] = entry;
  if (outputs > 0) return [entry];
  return Array.from({ length: Math.ceil(length / ENTRY_LENGTH) }, (_, i) => {
    const done = i * ENTRY_LENGTH;
    return [offset + done, Math.min(length - done, ENTRY_LENGTH), 0, 0];
  });
}

function placeSegment(layer: LayerShape, offset: number): Segment {
  const bias = layer.bias ? 1 : 0;
  if (layer.kind === "dense") {
    const inputs = layer.inputs + bias;
    return { layer: layer.name, kind: "factored", offset, inputs, outputs: layer.outputs };
  }
  const length = (countTaps(layer.geometry) + bias) * layer.geometry.out_channels;
  return { layer: layer.name, kind: "plain", offset, length };
}
