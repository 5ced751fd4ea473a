/**
 * A device's buffers and textures, and attempts to allocate what the device may have no room for.
 *
 * @module
 */
import { DeviceError } from "../errors.ts";
import { formatMebibytes } from "../sizes.ts";
import { isBuffer } from "./panels.ts";

/** Request for a buffer or texture. */
interface Allocation {
  readonly label: string;
  readonly bytes: number;
  /** Bytes of the buffers and textures that the device held before. */
  readonly heldBytes: number;
}

/** A device without room for a buffer or texture. What was tried with it has been freed, and the device is as good as before. */
export class OutOfMemoryError extends DeviceError {
  /** State of the device, as messages tell it. */
  readonly state: string;

  constructor(action: string, { label, bytes, heldBytes }: Allocation, cause: GPUError) {
    const state = `a device without room for '${label}' of ${formatMebibytes(bytes)} beside ${
      formatMebibytes(heldBytes)
    }`;
    super(
      `Cannot ${action}: got ${state}, need room for it; ` +
        "close what else uses the device, dispose what is no longer needed, or take smaller tiles",
      { cause },
    );
    this.state = state;
  }
}

/** Allocations that are tried together, each under an out-of-memory scope of its own. */
class Attempt {
  readonly #tried: { allocation: Allocation; error: Promise<GPUError | null> }[] = [];

  constructor(private readonly device: GPUDevice) {
    device.pushErrorScope("validation");
  }

  /**
   * Creates a buffer or texture.
   *
   * @param refusal error that stands for the driver's
   */
  create<T>(allocation: Allocation, refusal: GPUError | undefined, create: () => T): T {
    this.device.pushErrorScope("out-of-memory");
    try {
      return create();
    } finally {
      const reported = this.device.popErrorScope();
      this.#tried.push({ allocation, error: refusal ? Promise.resolve(refusal) : reported });
    }
  }

  /** Ends the attempt at once; the promise is of the first allocation that failed, and of the first error of another kind. */
  async end() {
    const scope = this.device.popErrorScope();
    const errors = await Promise.all(this.#tried.map(({ error }) => error));
    const at = errors.findIndex((error) => error !== null);
    const shortage = at < 0
      ? undefined
      : { allocation: this.#tried[at].allocation, error: errors[at]! };
    return { shortage, invalid: await scope };
  }
}

/** Account of a device's buffers and textures. */
export class DeviceMemory {
  /** Bytes that plans may count on: no bound until one is set, or the device refuses an allocation. */
  roomBytes = Infinity;
  /** Bytes beyond which an allocation fails as one does that the driver refuses. Tests lower it. */
  allocatableBytes = Infinity;
  readonly #live = new Set<GPUBuffer | GPUTexture>();
  readonly #device: GPUDevice;
  readonly #fail: (error: GPUError) => void;
  #attempt: Attempt | undefined;
  #shortage: OutOfMemoryError | undefined;

  /** @param fail takes errors that belong to no attempt */
  constructor(device: GPUDevice, fail: (error: GPUError) => void) {
    this.#device = device;
    this.#fail = fail;
  }

  /** Buffers and textures that are not destroyed yet. */
  get count(): number {
    return this.#live.size;
  }

  /** Bytes of the buffers and textures that are not destroyed yet. */
  get bytes(): number {
    let bytes = 0;
    for (const resource of this.#live) bytes += sizeOf(resource);
    return bytes;
  }

  /** The refusal that bounds `roomBytes`, if there was one. */
  get shortage(): OutOfMemoryError | undefined {
    return this.#shortage;
  }

  /** Creates a buffer or texture of so many bytes. */
  create<T extends GPUBuffer | GPUTexture>(label: string, bytes: number, create: () => T): T {
    const heldBytes = this.bytes;
    const refusal = heldBytes + bytes > this.allocatableBytes
      ? new GPUOutOfMemoryError(`Not enough memory for '${label}'`)
      : undefined;
    if (refusal && !this.#attempt) this.#fail(refusal);
    const resource = this.#attempt
      ? this.#attempt.create({ label, bytes, heldBytes }, refusal, create)
      : create();
    this.#live.add(resource);
    return resource;
  }

  /** Whether a buffer was created here, and is not destroyed yet. */
  has(buffer: GPUBuffer): boolean {
    return this.#live.has(buffer);
  }

  /** Destroys what `create` made; a second time does nothing. */
  destroy(resource: GPUBuffer | GPUTexture): void {
    if (this.#live.delete(resource)) resource.destroy();
  }

  /** Destroys what is left. */
  dispose(): void {
    for (const resource of [...this.#live]) this.destroy(resource);
  }

  /**
   * Makes what takes much memory, or nothing; a refusal bounds `roomBytes` from then on.
   *
   * @param action what cannot be done then, as in `Cannot compute tiles`
   * @param make creates buffers and writes to them, and asks nothing else of the device
   * @throws {OutOfMemoryError} if the device has no room for a buffer; what was made is disposed.
   */
  async attempt<T extends Disposable>(action: string, make: () => T): Promise<T> {
    const attempt = this.#attempt = new Attempt(this.#device);
    let made: T;
    let ended: ReturnType<Attempt["end"]>;
    try {
      made = make();
    } finally {
      this.#attempt = undefined;
      ended = attempt.end();
    }
    const { shortage, invalid } = await ended;
    if (shortage) {
      made[Symbol.dispose]();
      const { heldBytes, bytes } = shortage.allocation;
      this.roomBytes = Math.min(this.roomBytes, heldBytes + bytes - 1);
      throw this.#shortage = new OutOfMemoryError(action, shortage.allocation, shortage.error);
    }
    if (invalid) this.#fail(invalid);
    return made;
  }
}

function sizeOf(resource: GPUBuffer | GPUTexture): number {
  if (isBuffer(resource)) return resource.size;
  return 16 * resource.width * resource.height * resource.depthOrArrayLayers;
}
