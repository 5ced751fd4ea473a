/**
 * Errors that a caller may want to react to. Wrong arguments throw `TypeError` or `RangeError`.
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

/** A device that is lost, out of memory, or has reported an error outside of any call; its results cannot be trusted. */
export class DeviceError extends Error {
  static {
    this.prototype.name = "DeviceError";
  }
}

/** An object that is used after its disposal. It is thrown before anything of the call reaches the device, so that the engine stays usable. */
export class DisposedError extends Error {
  static {
    this.prototype.name = "DisposedError";
  }

  /** Writes the message from the name of the disposed object and from what the call needs instead. */
  constructor(
    /** Name of the disposed object. */
    readonly subject: string,
    /** Object that the call needs instead. */
    need: string,
  ) {
    super(`Cannot use ${subject}: got it after its disposal, need ${need}`);
  }
}

/** A name of a data set that is neither known nor a folder. */
export class UnknownDatasetError extends RangeError {
  static {
    this.prototype.name = "UnknownDatasetError";
  }

  /** Writes the message from the unknown name and from the names that are accepted. */
  constructor(
    /** The unknown name. */
    readonly dataset: string,
    /** List of the names that are accepted, for the message. */
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

  /** Takes the message, and the system's error as its cause. */
  constructor(
    /** Path of the file or folder. */
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A named data set whose files are missing; `fetchDataset` downloads them. */
export class MissingDatasetError extends FileError {
  static {
    this.prototype.name = "MissingDatasetError";
  }

  /** Takes the path of the file or folder, and the message. */
  constructor(
    path: string,
    /** Name by which `fetchDataset` downloads it. */
    readonly dataset: string,
    message: string,
  ) {
    super(path, message);
  }
}

/** A stored kernel that is unfinished or damaged; storing it again with the same options mends it. */
export class StoredKernelError extends FileError {
  static {
    this.prototype.name = "StoredKernelError";
  }

  /** Takes the path of the file or folder, and the message. */
  constructor(
    path: string,
    message: string,
    /** Whether mending it needs the option `repair`, which finds the damaged chunks. */
    readonly needsRepair = false,
  ) {
    super(path, message);
  }
}

/** Images, labels or a kernel whose contents do not fit: for example counts that differ, or labels out of range. */
export class DataError extends Error {
  static {
    this.prototype.name = "DataError";
  }
}

/** Pictures of several sizes where one is needed; `imageSize` of `loadDataset` resizes them. */
export class PictureSizesError extends DataError {
  static {
    this.prototype.name = "PictureSizesError";
  }

  /** Takes the message, and the size that most pictures have. */
  constructor(message: string, readonly imageSize: readonly [height: number, width: number]) {
    super(message);
  }
}

/** Weights that do not fit the network: missing, extra, misshapen or not finite. */
export class WeightsError extends Error {
  static {
    this.prototype.name = "WeightsError";
  }

  /** Takes the message, and the names of all misfits, of which it may list only the first. */
  constructor(
    /** Names in PyTorch's `state_dict` of all tensors that do not fit. */
    readonly tensors: readonly string[],
    message: string,
  ) {
    super(message);
  }
}

/**
 * A layer of a network that is called wrongly: an option or argument that it does not have, a value out of range, or a tensor that it
 * cannot take. It is thrown before anything of the layer reaches the device.
 */
export class LayerError extends TypeError {
  static {
    this.prototype.name = "LayerError";
  }

  /** Takes the message, and the layer and option that it is about. */
  constructor(
    /** Name of the layer, or of the operation where the layer has none. */
    readonly layer: string,
    /** Name of the option or argument. */
    readonly option: string,
    message: string,
  ) {
    super(message);
  }
}

/** NaN or infinity in a result, with the sample and layer that it came from, where they are known. */
export class NonFiniteError extends Error {
  static {
    this.prototype.name = "NonFiniteError";
  }

  /** Takes the message, and where the number was found. */
  constructor(
    message: string,
    /** Index of the sample in the data set that was given; the message has its index in the whole split. Undefined: no single sample's. */
    readonly sample?: number,
    /** Name of the layer, where the number is in its part of a signed projection. */
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

  /** Takes the message, and its two sizes. */
  constructor(
    message: string,
    /** The budget, in bytes. */
    readonly gotBytes: number,
    /** A budget that is enough, in bytes. */
    readonly needBytes: number,
    /** Whose memory it is of: the process's and the device's together, or that of one of them. */
    readonly owner: "both" | "process" | "device" = "both",
  ) {
    super(message);
  }
}
