/**
 * Errors that a caller may want to react to. Wrong arguments are `TypeError` or `RangeError`.
 *
 * Messages are one line: `Cannot <action> <subject>: got <state>, need <state>`, then the mend where there is one.
 *
 * @module
 */

/** No WebGPU adapter: no driver, or none that this process may use. */
export class NoAdapterError extends Error {
  static {
    this.prototype.name = "NoAdapterError";
  }
}

/** The device is gone, out of memory, or reported an error outside of any call; its results cannot be trusted. */
export class DeviceError extends Error {
  static {
    this.prototype.name = "DeviceError";
  }
}

/** An object that is used after its disposal. Found before anything of the call reaches the device, so the engine stays usable. */
export class DisposedError extends Error {
  static {
    this.prototype.name = "DisposedError";
  }

  /** Writes the line from what was used, and what the call needs in its place. */
  constructor(
    /** What has been disposed, as the message names it. */
    readonly subject: string,
    /** What the call needs in its place. */
    need: string,
  ) {
    super(`Cannot use ${subject}: got it after its disposal, need ${need}`);
  }
}

/** A data set's name that is neither known nor a folder. */
export class UnknownDatasetError extends RangeError {
  static {
    this.prototype.name = "UnknownDatasetError";
  }

  /** Writes the line from the name that was asked for, and what one needs to be. */
  constructor(
    /** The name that is none. */
    readonly dataset: string,
    /** What a name needs to be. */
    readonly need: string,
  ) {
    super(`Cannot load data set ${dataset}: got an unknown name, need ${need}`);
  }
}

/** A file that is missing, truncated or not of the expected format. */
export class FileError extends Error {
  static {
    this.prototype.name = "FileError";
  }

  /** Takes the whole line, and as its cause what the system said. */
  constructor(
    /** The file or folder. */
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A named data set whose files are not there; `fetchDataset` fetches them. */
export class MissingDatasetError extends FileError {
  static {
    this.prototype.name = "MissingDatasetError";
  }

  /** Takes the file or folder, and the whole line. */
  constructor(
    path: string,
    /** The name that it is fetched by. */
    readonly dataset: string,
    message: string,
  ) {
    super(path, message);
  }
}

/** A stored kernel that is unfinished or damaged; storing it again by the same options mends it. */
export class StoredKernelError extends FileError {
  static {
    this.prototype.name = "StoredKernelError";
  }

  /** Takes the file or folder, and the whole line. */
  constructor(
    path: string,
    message: string,
    /** Whether that takes the option `repair`, which looks for what is damaged. */
    readonly needsRepair = false,
  ) {
    super(path, message);
  }
}

/** Images, labels or a kernel whose contents do not fit: counts that differ, labels out of range. */
export class DataError extends Error {
  static {
    this.prototype.name = "DataError";
  }
}

/** Weights that do not fit the network: missing, extra, misshapen or not finite. */
export class WeightsError extends Error {
  static {
    this.prototype.name = "WeightsError";
  }

  /** Takes the whole line, and the names that it may have shortened. */
  constructor(
    /** Names in PyTorch's `state_dict` of all that do not fit. */
    readonly tensors: readonly string[],
    message: string,
  ) {
    super(message);
  }
}

/**
 * A layer of a network that is asked for wrongly: an option or argument that it does not have, a value out of range, or a tensor that it
 * cannot take. Found before anything of the layer reaches the device.
 */
export class LayerError extends TypeError {
  static {
    this.prototype.name = "LayerError";
  }

  /** Takes the whole line, and what it is about. */
  constructor(
    /** The layer's name, or the operation's where it has none. */
    readonly layer: string,
    /** The option or argument. */
    readonly option: string,
    message: string,
  ) {
    super(message);
  }
}

/** NaN or infinity in a result, with what it came from. */
export class NonFiniteError extends Error {
  static {
    this.prototype.name = "NonFiniteError";
  }

  /** Takes the whole line, and where the number came up. */
  constructor(
    message: string,
    /** The sample's place in the data set that was given, where it is one sample's number; a message tells its index in the whole split. */
    readonly sample?: number,
    /** The layer, where it is in one layer's part of a signed projection. */
    readonly layer?: string,
  ) {
    super(message);
  }
}

/** A memory budget that is too small. */
export class BudgetError extends RangeError {
  static {
    this.prototype.name = "BudgetError";
  }

  /** Takes the whole line, and its two sizes. */
  constructor(
    message: string,
    /** The budget, in bytes. */
    readonly gotBytes: number,
    /** One that is enough, in bytes. */
    readonly needBytes: number,
  ) {
    super(message);
  }
}
