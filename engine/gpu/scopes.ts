/**
 * Error scopes: errors of making one object, caught before they spoil anything else.
 *
 * @module
 */

const FILTERS = ["out-of-memory", "internal", "validation"] as const;

/**
 * Makes an object of a device.
 *
 * @param explain makes the error that is thrown of the device's own
 * @throws The error of `make`, or that of `explain`.
 */
export async function makeChecked<T>(
  device: GPUDevice,
  make: () => T,
  explain: (error: GPUError) => Error,
): Promise<T> {
  for (const filter of FILTERS) device.pushErrorScope(filter);
  let scopes: Promise<GPUError | null>[] = [];
  let made: T;
  try {
    made = make();
  } finally {
    // at once, so that nothing else of the device's falls into these scopes
    scopes = FILTERS.map(() => device.popErrorScope());
  }
  const error = (await Promise.all(scopes)).find((found) => found !== null);
  if (error) throw explain(error);
  return made;
}
