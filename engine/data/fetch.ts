/** Downloads of data sets, checked against known checksums. @module */

import { createHash } from "node:crypto";
import { FileError } from "../errors.ts";
import { CALL_OPTIONS, type CallOptions, interruptBy } from "../gpu/pace.ts";
import { checkKeys, type OptionNames } from "../options.ts";
import { CIFAR10, CIFAR100, unpackCifar } from "./cifar.ts";
import { exists, explainWrite, InputFile, measureFile, PARTIAL } from "../files/file.ts";
import { Lease } from "../files/lease.ts";
import { IDX_FILES } from "./mnist.ts";
import { chooseDataFolder } from "./named.ts";

/** A file to download. */
export interface RemoteFile {
  /** Name on the mirror and in the folder. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Checksum that the publisher states, in lower-case hexadecimal digits. */
  readonly checksum: { readonly algorithm: keyof typeof ALGORITHMS; readonly digest: string };
}

/** How to download: progress is in bytes, of which those that were there already count as arrived. */
export interface FetchOptions extends CallOptions {
  /** Where to. Default: the data set's folder in `$LPNTK_DATA`, or in the cache folder. */
  readonly folder?: string;
  /** URL of the folder to download from. Default: the publisher's. */
  readonly mirror?: string;
}

const FETCH_OPTIONS: OptionNames<FetchOptions> = { folder: true, mirror: true, ...CALL_OPTIONS };

const ALGORITHMS = { sha256: "SHA-256", md5: "MD5" };

/** Bytes that are read and hashed at once. */
const PIECE_BYTES = 2 ** 20;

/** Most connections for one file; each but the first resumes where the one before broke. */
const CONNECTIONS = 8;

/** Names of data sets that can be downloaded. */
export type RemoteName = "mnist" | "fashion-mnist" | "cifar10" | "cifar100";

/** A data set on a mirror. */
interface RemoteDataset {
  readonly mirror: string;
  readonly files: readonly RemoteFile[];
  /** Unpacks the downloaded files. */
  readonly unpack?: (folder: string) => Promise<void>;
}

const DATASETS: Record<RemoteName, RemoteDataset> = {
  mnist: {
    mirror: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: listIdx("sha256", [
      [9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"],
      [28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"],
      [1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"],
      [4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"],
    ]),
  },
  "fashion-mnist": {
    mirror: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    files: listIdx("md5", [
      [26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"],
      [29_515, "25c81989df183df01b3e8a0aad5dffbe"],
      [4_422_102, "bef4ecab320f06d8554ea6380940ec79"],
      [5_148, "bb300cfdad3c16e7a12a480ee83cd310"],
    ]),
  },
  cifar10: {
    mirror: "https://www.cs.toronto.edu/~kriz/",
    files: [{
      name: CIFAR10.archive,
      sizeBytes: 170_052_171,
      checksum: { algorithm: "md5", digest: "c32a1d4ab5d03f1284b67883e8d87530" },
    }],
    unpack: (folder) => unpackCifar(CIFAR10, folder),
  },
  cifar100: {
    mirror: "https://www.cs.toronto.edu/~kriz/",
    files: [{
      name: CIFAR100.archive,
      sizeBytes: 168_513_733,
      checksum: { algorithm: "md5", digest: "03b5dce01913d631647c71ecec9e9cb8" },
    }],
    unpack: (folder) => unpackCifar(CIFAR100, folder),
  },
};

/**
 * Downloads a data set: 12 MB for MNIST, 31 MB for Fashion-MNIST, 170 MB for CIFAR-10 and for CIFAR-100, which are unpacked beside their
 * archive. Files that exist with the right checksum are kept.
 *
 * @returns the folder
 * @throws {FileError} when a file cannot be downloaded, or is not the one that the checksum asks
 * for
 */
export async function fetchDataset(
  name: RemoteName,
  options: FetchOptions = {},
): Promise<string> {
  checkKeys(`fetch ${name}`, options, FETCH_OPTIONS);
  const dataset = DATASETS[name];
  const { folder = chooseDataFolder(name), mirror = dataset.mirror, ...call } = options;
  await fetchFiles(dataset.files, mirror, folder, call);
  await dataset.unpack?.(folder);
  return folder;
}

/**
 * Downloads files into a folder, one after the other. A file appears under its name only when it is complete and its checksum right. Where a
 * connection breaks, another resumes there; where none can, the bytes received stay in `NAME.partial`, which the next call resumes.
 *
 * @param mirror URL of the folder to download from
 * @throws {FileError} when a file cannot be downloaded or written, is not the one that its checksum asks for, or another process is
 * downloading it
 */
export async function fetchFiles(
  files: readonly RemoteFile[],
  mirror: string,
  folder: string,
  options: CallOptions = {},
): Promise<void> {
  const report = interruptBy(options);
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  for (const file of files) {
    const path = `${folder}/${file.name}`;
    if (!await exists(path) || await hash(path, file) !== file.checksum.digest) {
      using _lease = await Lease.take(`${path}.lock`, path);
      const url = `${mirror.replace(/\/$/, "")}/${file.name}`;
      const download = new Download(url, file, path, options.signal);
      await download.run((received) => report?.(done + received, total));
    }
    done += file.sizeBytes;
    report?.(done, total);
  }
}

/** Download of one file. */
class Download {
  readonly #partial: string;

  constructor(
    private readonly url: string,
    private readonly file: RemoteFile,
    private readonly path: string,
    private readonly signal?: AbortSignal,
  ) {
    this.#partial = `${path}${PARTIAL}`;
  }

  async run(onReceived: (sizeBytes: number) => void): Promise<void> {
    const { algorithm, digest } = this.file.checksum;
    const isResumed = await this.#measure() > 0;
    await this.#receiveAll(onReceived);
    const found = await hash(this.#partial, this.file);
    if (found === digest) {
      await Deno.rename(this.#partial, this.path).catch((cause) => {
        throw explainWrite(this.path, cause);
      });
      return;
    }
    await Deno.remove(this.#partial);
    // the partial file of an earlier call may have been of another file
    if (isResumed) return await this.run(onReceived);
    throw this.#fail(`got ${ALGORITHMS[algorithm]} ${found}, need ${digest}`);
  }

  /** Connects again and again until all bytes have arrived. */
  async #receiveAll(onReceived: (sizeBytes: number) => void): Promise<void> {
    const { sizeBytes } = this.file;
    let furthest = 0;
    for (let connection = 1;; connection++) {
      const from = await this.#measure();
      if (from === sizeBytes) return;
      const state = await this.#receive(from, onReceived);
      const received = await this.#measure();
      if (received === sizeBytes) return;
      // gives up on a mirror that restarts each time, or sends nothing more
      if (connection === CONNECTIONS || received <= Math.max(from, furthest)) {
        throw this.#fail(
          `got ${state}, need ${sizeBytes} bytes; what came is kept, and the same call goes on from there`,
        );
      }
      furthest = received;
    }
  }

  /**
   * Appends the bytes of one connection to the partial file.
   *
   * @param from bytes that the file holds already
   * @returns how the connection ended, for an error
   */
  async #receive(from: number, onReceived: (sizeBytes: number) => void): Promise<string> {
    const { body, offset } = await this.#connect(from);
    const { sizeBytes } = this.file;
    let received = offset;
    using partial = await this.#openPartial(offset);
    const reader = body.getReader();
    for (;;) {
      const { done, value, cause } = await reader.read()
        .catch((cause) => ({ done: true, value: undefined, cause }) as const)
        .then((read) => ({ cause: undefined, ...read }));
      if (cause !== undefined) {
        this.signal?.throwIfAborted();
        return `a broken connection (${explain(cause)}) after ${received} bytes`;
      }
      if (done) return `${received} bytes`;
      received += value.length;
      if (received > sizeBytes) {
        await reader.cancel();
        await Deno.remove(this.#partial);
        throw this.#fail(`got more than ${sizeBytes} bytes, need ${sizeBytes} bytes`);
      }
      await writeAll(partial, value, this.#partial);
      onReceived(received);
    }
  }

  /** Requests the bytes from an offset on; the answer's `offset` is 0 where the mirror cannot resume. */
  async #connect(from: number): Promise<{ body: ReadableStream<Uint8Array>; offset: number }> {
    const headers: HeadersInit = from > 0 ? { Range: `bytes=${from}-` } : {};
    let response: Response;
    try {
      response = await fetch(this.url, { headers, signal: this.signal });
    } catch (cause) {
      this.signal?.throwIfAborted();
      throw this.#fail(
        `got no connection (${explain(cause)}), need network access or another mirror`,
        cause,
      );
    }
    const { status, body } = response;
    const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
    if (status === 206 && Number(start) === from && body) return { body, offset: from };
    if (status === 200 && body) return { body, offset: 0 };
    await body?.cancel();
    // the mirror gave another range than was requested, or none: starts from the beginning
    if (from > 0 && (status === 206 || status === 416)) return await this.#connect(0);
    throw this.#fail(`got HTTP status ${status}, need 200`);
  }

  async #openPartial(offset: number): Promise<Deno.FsFile> {
    try {
      const file = await Deno.open(this.#partial, { write: true, create: true });
      await file.truncate(offset);
      await file.seek(offset, Deno.SeekMode.Start);
      return file;
    } catch (cause) {
      throw explainWrite(this.#partial, cause);
    }
  }

  /** Measures the partial file in bytes, and removes one that is longer than the file. */
  async #measure(): Promise<number> {
    const size = await measureFile(this.#partial) ?? 0;
    if (size <= this.file.sizeBytes) return size;
    await Deno.remove(this.#partial);
    return 0;
  }

  #fail(state: string, cause?: unknown): FileError {
    return new FileError(this.url, `Cannot download ${this.url}: ${state}`, { cause });
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  } catch (cause) {
    throw explainWrite(path, cause);
  }
}

/** Computes a file's checksum without holding the file in memory. */
async function hash(path: string, { checksum: { algorithm } }: RemoteFile): Promise<string> {
  const digest = createHash(algorithm);
  using file = await InputFile.open(path, "a downloaded file");
  for (let done = 0; done < file.sizeBytes; done += PIECE_BYTES) {
    digest.update(await file.read(done, Math.min(PIECE_BYTES, file.sizeBytes - done)));
  }
  return digest.digest("hex");
}

/** Lists the four IDX files with their sizes and checksums: images and labels for training, then for testing. */
function listIdx(
  algorithm: RemoteFile["checksum"]["algorithm"],
  known: readonly (readonly [sizeBytes: number, digest: string])[],
): RemoteFile[] {
  return Object.values(IDX_FILES).flatMap(({ images, labels }) => [images, labels])
    .map((name, i) => {
      const [sizeBytes, digest] = known[i];
      return { name: `${name}.gz`, sizeBytes, checksum: { algorithm, digest } };
    });
}

function explain(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
