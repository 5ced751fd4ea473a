/**
 * Check that a data set fits a network.
 *
 * @module
 */
import { type Dataset, indexSample } from "../data/dataset.ts";
import { findBadLabel } from "../data/label_check.ts";
import { DataError } from "../errors.ts";
import { describeValue } from "../options.ts";
import type { DeviceNetwork } from "./network.ts";

/**
 * Refuses a data set that does not fit a network, a value that is no data set, and a network that has been disposed.
 *
 * @throws {DisposedError} if the network has been disposed, or its engine.
 * @throws {TypeError} if the value is no data set.
 * @throws {DataError} if the images have another shape, or a label or the number of classes exceeds the network's. Where labels count from 1,
 * even if this part of the data set lacks the largest, the message says to subtract 1.
 */
export function checkFit(network: DeviceNetwork, data: Dataset): void {
  network.check();
  checkData(network, data);
  const { classes, inputShape, definition } = network;
  if (data.shape.some((size, axis) => size !== inputShape[axis])) {
    throw new DataError(
      `Cannot pass ${data.name} through ${definition.name}: got images of ${
        data.shape.join(" x ")
      }, need ${
        inputShape.join(" x ")
      }; engine.network takes the images' shape, data.shape, as its third argument`,
    );
  }
  const refuse = (state: string, need: string) =>
    new DataError(
      `Cannot pass ${data.name} through ${definition.name}: got ${state}, need ${need}`,
    );
  if (data.classes === classes + 1 && !data.labels.includes(0)) {
    throw refuse(
      `labels below ${data.classes} and no sample of class 0`,
      `labels from 0 to ${
        classes - 1
      } for the network's ${classes} classes; where they count from 1, subtract 1`,
    );
  }
  const outside = findBadLabel(data.labels, classes);
  if (outside >= 0) {
    throw refuse(
      `label ${data.labels[outside]} at sample ${indexSample(data, outside)}`,
      `labels from 0, below the network's ${classes} classes`,
    );
  }
  if (data.classes > classes) {
    throw refuse(
      `a data set of ${data.classes} classes`,
      `at most the network's ${classes}, of which every label is one`,
    );
  }
}

function checkData({ definition }: DeviceNetwork, data: unknown): asserts data is Dataset {
  const { images, labels, shape } = Object(data) as Partial<Dataset>;
  const isData = (images instanceof Uint8Array || images instanceof Float32Array) &&
    labels instanceof Int32Array && Array.isArray(shape);
  if (isData) return;
  throw new TypeError(
    `Cannot pass samples through ${definition.name}: got ${
      describeValue(data)
    }, need a data set as createDataset makes it`,
  );
}
