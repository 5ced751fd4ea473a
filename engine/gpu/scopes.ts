/**
 * Error scopes: errors of creating one object are caught, so that the device stays usable.
 *
 * @module
 */

const FILTERS = ["out-of-memory", "internal", "validation"] as const;

/**
 * Creates an object of a device under error scopes, and waits for their errors.
 *
 * @param explain turns an error of the device into the error to throw
 * @throws The error of `make` or `explain`.
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
    // popped at once, so that these scopes catch no errors of other calls
    scopes = FILTERS.map(() => device.popErrorScope());
  }
  const error = (await Promise.all(scopes)).find((found) => found !== null);
  if (error) throw explain(error);
  return made;
}
