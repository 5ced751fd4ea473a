/**
 * TensorFlow.js on our device: one backend, whose tensors our kernels use without a copy.
 *
 * No other file touches the backend's internals.
 *
 * @module
 */
import * as tf from "npm:@tensorflow/tfjs-core@4.22.0";
import { WebGPUBackend } from "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";
// imported for its side effect: it registers the backend's kernels
import "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";
// imported for its side effect: tfjs-core alone registers no gradients
import "npm:@tensorflow/tfjs-layers@4.22.0";
import type { Gpu } from "../gpu/device.ts";
import {
  type BufferBindings,
  countCopiedBytes,
  type Kernel,
  type ParamValues,
} from "../gpu/kernel.ts";
import { SUBMISSION_MS } from "../gpu/rates.ts";

/** Name under which TensorFlow.js registers its WebGPU kernels. */
const BACKEND = "webgpu";

/** The binding that is open: TensorFlow.js knows one backend of a name at a time. */
let current: Tensorflow | undefined;

/** Numbers of elements of the tensors that operations gave. */
export interface TensorSizes {
  /** Of the largest tensor. */
  readonly largest: number;
  /** Of all tensors together. */
  readonly total: number;
}

/** TensorFlow.js bound to one of our devices. */
export class Tensorflow {
  readonly #backend: CountedBackend;
  /** Our launches since the last flush. */
  #launches = 0;
  /** Estimated time of what was recorded since then, of TensorFlow.js's launches too. */
  #ms = 0;

  private constructor(readonly gpu: Gpu) {
    // WebGPUBackend uses the adapter's info only to choose programs for Intel's GPUs.
    const { vendor } = gpu.adapter;
    this.#backend = new CountedBackend(
      gpu.device,
      { vendor, architecture: "" } as GPUAdapterInfo,
      (tensors) => this.#count(this.#measureReads(tensors)),
    );
  }

  /**
   * Makes TensorFlow.js compute on `gpu`.
   *
   * @throws {Error} if another engine of this process is open.
   */
  static async bind(gpu: Gpu): Promise<Tensorflow> {
    if (current) {
      throw new Error(
        "Cannot open a second engine: TensorFlow.js computes on one device at a time; dispose the first",
      );
    }
    const bound = current = new Tensorflow(gpu);
    // The default adds up long sums by atomics, which is not deterministic, and slower.
    tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", 3);
    tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", 100);
    if (tf.findBackendFactory(BACKEND)) tf.removeBackend(BACKEND);
    tf.registerBackend(BACKEND, () => bound.#backend);
    await tf.setBackend(BACKEND);
    return bound;
  }

  /** The open engine's TensorFlow.js, for the kernels that TensorFlow.js calls without one. */
  static get current(): Tensorflow {
    if (!current) throw new Error("Cannot compute: no engine is open");
    return current;
  }

  /** Submits what TensorFlow.js has recorded, if there is anything. */
  flush(): void {
    this.#launches = 0;
    this.#ms = 0;
    if (!this.#backend["commandEncoder"]) return;
    this.#backend.endComputePassEncoder();
    this.#backend.submitQueue();
  }

  /**
   * The buffer of a tensor, without a copy. It lives as long as the tensor. What TensorFlow.js has recorded is submitted, so that the buffer
   * holds the tensor's values for whatever is submitted from now on, and nothing that is recorded reads earlier ones.
   */
  bufferOf(tensor: tf.TensorInfo): GPUBuffer {
    const buffer = this.#findBuffer(tensor);
    this.flush();
    return buffer;
  }

  /** Allocates a float32 tensor, whose buffer one of our kernels fills. */
  allocate(shape: number[]): tf.TensorInfo {
    return this.#backend.makeTensorInfo(shape, "float32");
  }

  /**
   * Runs operations and measures the tensors that they give, but for those of {@linkcode unmeasured}.
   *
   * @param check is called with the shape of each before it is allocated; it may throw
   */
  measure<T>(run: () => T, check: (shape: readonly number[]) => void): [T, TensorSizes] {
    const sizes = { largest: 0, total: 0 };
    this.#backend.onTensor = (shape) => {
      check(shape);
      const size = tf.util.sizeFromShape([...shape]);
      sizes.largest = Math.max(sizes.largest, size);
      sizes.total += size;
    };
    try {
      return [run(), sizes];
    } finally {
      this.#backend.onTensor = undefined;
    }
  }

  /** Runs operations within {@linkcode measure} whose tensors do not count, such as those of parameters alone. */
  unmeasured<T>(run: () => T): T {
    const { onTensor } = this.#backend;
    this.#backend.onTensor = undefined;
    try {
      return run();
    } finally {
      this.#backend.onTensor = onTensor;
    }
  }

  /** Another reference to a tensor's data, without a copy. */
  share({ dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
    this.#backend.incRef(dataId);
    return { dataId, shape, dtype };
  }

  /** Drops a reference to a tensor's data, and frees them with the last; launches on them that are recorded still run. */
  release(tensor: tf.TensorInfo): void {
    this.#backend.disposeData(tensor.dataId);
  }

  /**
   * Records a launch of one of our kernels, after everything that TensorFlow.js has recorded and before what it records next.
   *
   * @param flops that it takes at the rate of convolutions. Default: as long as its tensors are read
   */
  launch<P extends string, B extends string>(
    kernel: Kernel<P, B>,
    params: ParamValues<P>,
    tensors: Readonly<Record<B, tf.TensorInfo>>,
    workgroups: number,
    flops = 0,
  ): void {
    const buffers = Object.fromEntries(
      kernel.buffers.map(([name]) => [name, this.#findBuffer(tensors[name])]),
    ) as BufferBindings<B>;
    const { rates, operandStorage } = this.gpu;
    const readMs = this.#measureReads(Object.values(tensors));
    const copiedBytes = operandStorage === "texture" ? countCopiedBytes(kernel, buffers) : 0;
    this.#count(Math.max(flops / rates.convolutions, readMs) + copiedBytes / rates.reads);
    if (this.#launches === this.gpu.launchLimit) this.flush();
    this.#launches++;
    this.#backend.ensureCommandEncoderReady();
    this.#backend.endComputePassEncoder();
    const encoder: GPUCommandEncoder = this.#backend["commandEncoder"];
    this.gpu.launchInto(encoder, kernel, params, buffers, workgroups);
  }

  /** Reads a float32 tensor's values, after submitting everything recorded so far. */
  async read(tensor: tf.Tensor): Promise<Float32Array> {
    return new Float32Array(await this.gpu.read(this.bufferOf(tensor), tensor.size * 4));
  }

  /** Frees the backend's buffers and unbinds it. */
  dispose(): void {
    if (current !== this) return;
    current = undefined;
    tf.engine().reset();
    tf.removeBackend(BACKEND);
    this.#backend.dispose();
  }

  /** The buffer of a tensor, which holds its values after what is recorded. */
  #findBuffer({ dataId }: tf.TensorInfo): GPUBuffer {
    this.#backend.uploadToGPU(dataId);
    return this.#backend.tensorMap.get(dataId).resource as GPUBuffer;
  }

  /** Counts the time of the launch that is recorded next, and submits what was recorded before if that would be too long with it. */
  #count(ms: number): void {
    if (this.#ms > 0 && this.#ms + ms > SUBMISSION_MS) this.flush();
    this.#ms += ms;
  }

  /** Milliseconds of reading tensors once. */
  #measureReads(tensors: readonly Pick<tf.TensorInfo, "shape">[]): number {
    const count = tensors.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);
    return 4 * count / this.gpu.rates.reads;
  }
}

/** TensorFlow.js's backend, which says of its launches what they read and write before it records them, and of tensors their shapes. */
class CountedBackend extends WebGPUBackend {
  /** Is called with the shape of each tensor that an operation gives, before it is allocated. */
  onTensor: ((shape: readonly number[]) => void) | undefined;

  constructor(
    device: GPUDevice,
    info: GPUAdapterInfo,
    private readonly onLaunch: (tensors: readonly Pick<tf.TensorInfo, "shape">[]) => void,
  ) {
    super(device, info);
  }

  override runWebGPUProgram(
    ...launch: Parameters<WebGPUBackend["runWebGPUProgram"]>
  ): tf.TensorInfo {
    const [{ outputShape }, inputs] = launch;
    this.onLaunch([{ shape: outputShape }, ...inputs]);
    return super.runWebGPUProgram(...launch);
  }
  override makeTensorInfo(
    ...tensor: Parameters<WebGPUBackend["makeTensorInfo"]>
  ): tf.TensorInfo {
    this.onTensor?.(tensor[0]);
    return super.makeTensorInfo(...tensor);
  }
}
