/**
 * Account of a device's buffers and textures, and allocations that may fail for want of device memory.
 *
 * @module
 */
import { DeviceError } from "../errors.ts";
import { formatMebibytes } from "../sizes.ts";
import { isBuffer } from "./panels.ts";

/** Allocation of a buffer or texture. */
interface Allocation {
  readonly label: string;
  readonly bytes: number;
  /** Bytes of the device's buffers and textures before the allocation. */
  readonly heldBytes: number;
}

/** A device that has no memory for a buffer or texture. Everything that the attempt allocated has been freed, and the device stays usable. */
export class OutOfMemoryError extends DeviceError {
  /** Description of the failed allocation, as error messages give it. */
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

/** Group of allocations that succeed or fail together, each under an out-of-memory scope of its own. */
class Attempt {
  readonly #tried: { allocation: Allocation; error: Promise<GPUError | null> }[] = [];

  constructor(private readonly device: GPUDevice) {
    device.pushErrorScope("validation");
  }

  /**
   * Creates a buffer or texture.
   *
   * @param refusal error that is reported instead of the driver's
   */
  create<T>(allocation: Allocation, refusal: GPUError | undefined, create: () => T): T {
    this.device.pushErrorScope("out-of-memory");
    try {
      return create();
    } finally {
      const reported = this.device.popErrorScope();
      this.#tried.push({ allocation, error: reported.then((error) => refusal ?? error) });
    }
  }

  /** Ends the attempt at once; the promise resolves to the first allocation that failed, and to the first error of another kind. */
  async end() {
    const scope = this.device.popErrorScope();
    const [invalid, ...errors] = await Promise.all([
      scope,
      ...this.#tried.map(({ error }) => error),
    ]);
    const at = errors.findIndex((error) => error !== null);
    const shortage = at < 0
      ? undefined
      : { allocation: this.#tried[at].allocation, error: errors[at]! };
    return { shortage, invalid };
  }
}

/** Account of a device's buffers and textures. */
export class DeviceMemory {
  /** Bytes of device memory that plans may use: unbounded until a bound is set, or the device refuses an allocation. */
  roomBytes = Infinity;
  /** Bytes beyond which allocations fail as if the driver refused them. Tests lower it. */
  allocatableBytes = Infinity;
  readonly #live = new Set<GPUBuffer | GPUTexture>();
  readonly #device: GPUDevice;
  readonly #fail: (error: GPUError) => void;
  #attempt: Attempt | undefined;
  #shortage: OutOfMemoryError | undefined;

  /** @param fail is called with errors that belong to no attempt */
  constructor(device: GPUDevice, fail: (error: GPUError) => void) {
    this.#device = device;
    this.#fail = fail;
  }

  /** Number of buffers and textures that are not destroyed yet. */
  get count(): number {
    return this.#live.size;
  }

  /** Bytes of the buffers and textures that are not destroyed yet. */
  get bytes(): number {
    let bytes = 0;
    for (const resource of this.#live) bytes += sizeOf(resource);
    return bytes;
  }

  /** Latest refused allocation; undefined where there was none. */
  get shortage(): OutOfMemoryError | undefined {
    return this.#shortage;
  }

  /** Creates a buffer or texture of `bytes` bytes, and keeps account of it. */
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

  /** Destroys a buffer or texture of `create`; a second time does nothing. */
  destroy(resource: GPUBuffer | GPUTexture): void {
    if (this.#live.delete(resource)) resource.destroy();
  }

  /** Destroys all buffers and textures that are left. */
  dispose(): void {
    for (const resource of [...this.#live]) this.destroy(resource);
  }

  /**
   * Makes an object that takes much device memory, all of it or nothing; a refused allocation bounds `roomBytes` from then on.
   *
   * @param action action that the error message says failed, as in `Cannot compute tiles`
   * @param make creates buffers and writes to them, and calls nothing else of the device
   * @throws {OutOfMemoryError} if the device has no memory for a buffer; the object is disposed.
   */
  async attempt<T extends Disposable>(action: string, make: () => T): Promise<T> {
    const attempt = this.#attempt = new Attempt(this.#device);
    let made: T;
    try {
      made = make();
    } catch (error) {
      this.#attempt = undefined;
      // what a lost device rejects on top of it says no more
      await attempt.end().catch(() => {});
      throw error;
    }
    this.#attempt = undefined;
    const { shortage, invalid } = await attempt.end();
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
