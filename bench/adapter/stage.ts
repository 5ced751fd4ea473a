/**
 * What a stage of an adapter's report is given, and how much it does.
 *
 * @module
 */
import { lenet5, lenetLarge, mlp } from "../../engine/network/models.ts";
import type { NetworkDefinition } from "../../engine/network/definition.ts";
import { layOutPlain, type RowLayout } from "../../engine/rows/layout.ts";

import type { Device } from "../open.ts";
import type { Item } from "./ladder.ts";
import type { StageName } from "./report.ts";

/** What is measured together. */
export interface Stage {
  readonly name: StageName;
  /** Its share of the time, beside those of the stages after it. */
  readonly share: number;
  /** Whether all of it is measured at the least size, whatever the time, once it has begun within the report's minutes. */
  readonly isDecisive?: boolean;
  /** What it measures on a device, in this order; what the items hold in common goes with the stack. */
  readonly list: (device: Device, stack: DisposableStack) => readonly Item[];
}

/** How much to do; sizes ascend, and the last is the one that is meant. */
export interface Sizes {
  /** Length of a measurement at least, in milliseconds: the wait for the device costs some 12 ms in Deno. */
  readonly measurementMs: number;
  /** Rows of a Gram tile's two sides, and what a row is. */
  readonly tiles: readonly {
    readonly name: string;
    readonly layout: RowLayout;
    readonly rows: readonly number[];
    /** Whether every number of rows is a result. */
    readonly isCurve?: boolean;
  }[];
  readonly clustering: {
    readonly rows: readonly number[];
    /** Numbers of a row. */
    readonly lengths: readonly number[];
    readonly centroids: number;
  };
  /** Bytes of a tile that is read back. */
  readonly tileBytes: readonly number[];
  /** Digits of the roads from images to answers. */
  readonly samples: readonly number[];
  readonly networks: readonly NetworkDefinition[];
}

/** What a report measures. */
export const FULL_SIZES: Sizes = {
  measurementMs: 250,
  tiles: [
    { name: "plain 3,393", layout: layOutPlain(3393), rows: [256, 1024, 4096], isCurve: true },
    { name: "factored 401 x 120", layout: layOutFactored(401, 120), rows: [256, 1024, 4096] },
    { name: "plain 32,000", layout: layOutPlain(32_000), rows: [256, 1024, 4096] },
    { name: "plain 1,000", layout: layOutPlain(1000), rows: [256, 1024, 4096] },
  ],
  clustering: { rows: [512, 4096, 16_384, 61_440], lengths: [3393, 19_331], centroids: 256 },
  tileBytes: [2 ** 20, 64 * 2 ** 20],
  samples: [128, 1250, 5000, 20_000],
  networks: [lenet5, mlp, lenetLarge],
};

/** A row of one dense layer. */
export function layOutFactored(inputs: number, outputs: number): RowLayout {
  const length = inputs + outputs;
  return {
    segments: [{ layer: "factored", kind: "factored", offset: 0, positions: 1, inputs, outputs }],
    length,
  };
}
