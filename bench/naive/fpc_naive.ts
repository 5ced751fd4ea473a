/**
 * Farthest-point clustering, naively: loops over rows on the host, float64 sums.
 *
 * @module
 */
import type { RowLayout } from "../../engine/rows/layout.ts";

/** A clustering of all rows that grows by a centroid a step (algorithm 3 of the paper). */
export class NaiveClustering {
  /** Samples at the centres, in order of creation. */
  readonly centroids: number[] = [];
  /** Cluster of each sample, `[N]`. */
  readonly cluster: Uint32Array;
  readonly #best: Float64Array;

  /**
   * @param rows `[N, layout.length]` f32, row-major
   * @param next sample that becomes the first centroid
   */
  constructor(
    private readonly rows: Float32Array,
    private readonly layout: RowLayout,
    private next: number,
  ) {
    const count = rows.length / layout.length;
    this.cluster = new Uint32Array(count);
    this.#best = new Float64Array(count).fill(-Infinity);
  }

  /** Makes the sample that is least similar to its own centroid the next centroid, and moves the samples that are more similar to it. */
  step(): void {
    const { cluster, next } = this;
    const best = this.#best;
    const newest = this.centroids.push(next) - 1;
    cluster[next] = newest;
    best[next] = Infinity;
    let farthest = next;
    for (let n = 0; n < cluster.length; n++) {
      const similarity = this.#multiply(next, n);
      if (similarity > best[n]) {
        best[n] = similarity;
        cluster[n] = newest;
      }
      const isFarther = best[n] < best[farthest] ||
        (best[n] === best[farthest] && cluster[n] < cluster[farthest]);
      if (isFarther) farthest = n;
    }
    this.next = farthest;
  }

  #multiply(i: number, j: number): number {
    const { rows, layout } = this;
    let sum = 0;
    for (const segment of layout.segments) {
      const { offset } = segment;
      sum += segment.kind === "plain"
        ? multiplyRange(rows, i * layout.length, j * layout.length, offset, segment.length)
        : multiplyRange(rows, i * layout.length, j * layout.length, offset, segment.inputs) *
          multiplyRange(
            rows,
            i * layout.length,
            j * layout.length,
            offset + segment.inputs,
            segment.outputs,
          );
    }
    return sum;
  }
}

function multiplyRange(rows: Float32Array, i: number, j: number, offset: number, length: number) {
  let sum = 0;
  for (let k = offset; k < offset + length; k++) sum += rows[i + k] * rows[j + k];
  return sum;
}
