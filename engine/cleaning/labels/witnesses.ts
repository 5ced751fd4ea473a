/**
 * Witnesses: samples that say for or against a label.
 *
 * @module
 */
import { type Dataset, takeSamples } from "../../data/dataset.ts";
import type { Engine } from "../../engine.ts";
import { DataError } from "../../errors.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy } from "../../gpu/pace.ts";
import { computeTiles } from "../../kernel/gram.ts";
import type { Network } from "../../network/network.ts";
import { checkKeys, checkNumber, isCount, refuseSurplus } from "../../options.ts";
import { checkSampleRows, type Rows } from "../../rows/rows.ts";

/** A sample that says for or against a label. */
export interface Witness {
  /** Position in the data set. */
  readonly position: number;
  /** Cosine of the kernel. */
  readonly cosine: number;
}

/** Witnesses of one suspect. */
export interface Witnesses {
  /** Samples that contradict its given label most, whatever their own: the least cosine first, the lower position on a tie. */
  readonly against: readonly Witness[];
  /** Samples of the suggested class that it resembles most once it is labelled so: the largest cosine first, the lower position on a tie. */
  readonly for: readonly Witness[];
}

/** Suspects and the labels suggested for them. */
export interface WitnessRequest extends CallOptions {
  /** Positions of the suspects in the data set, `[S]`. */
  readonly suspects: ArrayLike<number>;
  /** Label that is suggested for each suspect, `[S]`. */
  readonly suggested: ArrayLike<number>;
  /** Most witnesses on either side of a suspect. Default 4. */
  readonly size?: number;
}

/**
 * Finds each suspect's witnesses among all samples but itself.
 *
 * Costs two more projections of the suspects and `4 * S * N * length` FLOP; the kernels' tiles are visited and never stored.
 *
 * @param rows the data set's lpNTK rows of this network, normalised
 * @returns witnesses of each suspect, in the order of the suspects; fewer than `size` where the class has no more
 * @throws {DataError} if the suggested labels are not one for each suspect.
 * @throws {RangeError} if a position or a label is out of range, or `size` is no positive integer.
 * @throws {TypeError} if the value is no rows, or they are not of normalised lpNTK rows.
 */
export async function findWitnesses(
  engine: Engine,
  network: Network,
  data: Dataset,
  rows: Rows,
  request: WitnessRequest,
): Promise<Witnesses[]> {
  const action = "find witnesses";
  refuseSurplus(action, arguments, 5);
  // the request is required, and nothing is no request
  checkKeys<WitnessRequest>(action, request ?? null, {
    suspects: true,
    suggested: true,
    size: true,
    ...CALL_OPTIONS,
  });
  const { suspects, suggested, size = 4, signal } = request;
  checkNumber(action, "size", size, isCount, "a positive integer");
  checkSampleRows(action, rows);
  const { kind, isNormalised } = rows.projection;
  if (kind !== "lpntk" || !isNormalised) {
    throw new TypeError(
      `Cannot ${action}: got ${
        isNormalised ? "normalised " : ""
      }rows of ${kind}, need normalised rows of lpntk; project with { normalise: true }`,
    );
  }
  if (rows.count !== data.labels.length) {
    throw new DataError(
      `Cannot ${action}: got ${rows.count} rows for ${data.labels.length} samples, need one for each`,
    );
  }
  if (suggested.length !== suspects.length) {
    throw new DataError(
      `Cannot ${action}: got ${suggested.length} suggested labels for ${suspects.length} suspects, need one for each`,
    );
  }
  const count = suspects.length;
  const report = interruptBy(request);
  if (count === 0) return [];
  const given = takeSamples(data, suspects);
  const isLabel = (value: number) => Number.isInteger(value) && value >= 0 && value < data.classes;
  for (const label of Array.from(suggested)) {
    checkNumber(
      action,
      "suggested label",
      label,
      isLabel,
      `an integer from 0 to ${data.classes - 1}`,
    );
  }
  const labels = Int32Array.from(suggested);
  const against = Array.from({ length: count }, () => new Foremost(size));
  const alike = Array.from({ length: count }, () => new Foremost(size));
  const sides = [
    {
      samples: given,
      add: (s: number, other: number, cosine: number) => against[s].add(other, -cosine),
    },
    {
      samples: { ...given, labels },
      add: (s: number, other: number, cosine: number) => {
        if (data.labels[other] === labels[s]) alike[s].add(other, cosine);
      },
    },
  ];
  for (const [side, { samples, add }] of sides.entries()) {
    using chosen = await engine.project(network, samples, { normalise: true, signal });
    checkSampleRows(action, chosen);
    const tiles = computeTiles(
      chosen,
      rows,
      (done, total) => report?.(side * total + done, sides.length * total),
    );
    for await (const { firstRow, firstColumn, rowCount, columnCount, values, stride } of tiles) {
      for (let i = 0; i < rowCount; i++) {
        for (let j = 0; j < columnCount; j++) {
          const other = firstColumn + j;
          if (other !== suspects[firstRow + i]) add(firstRow + i, other, values[i * stride + j]);
        }
      }
    }
  }
  return against.map((found, s) => ({
    against: found.list().map(({ position, value }) => ({ position, cosine: -value })),
    for: alike[s].list().map(({ position, value }) => ({ position, cosine: value })),
  }));
}

/** The samples of the largest values seen so far, the lower position on a tie. */
class Foremost {
  readonly #found: { readonly position: number; readonly value: number }[] = [];

  constructor(private readonly size: number) {}

  add(position: number, value: number): void {
    const found = this.#found;
    const isAfter = (other: { readonly position: number; readonly value: number }) =>
      other.value > value || (other.value === value && other.position < position);
    if (found.length === this.size) {
      if (isAfter(found[this.size - 1])) return;
      found.pop();
    }
    let at = found.length;
    while (at > 0 && !isAfter(found[at - 1])) at--;
    found.splice(at, 0, { position, value });
  }

  list() {
    return this.#found;
  }
}
