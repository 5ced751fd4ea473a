/** Downloading data sets, checked against known checksums. @module */

import { FileError } from "../errors.ts";
import { exists, readBytes, writeWhole } from "./file.ts";
import { MNIST_FILES } from "./mnist.ts";
import { chooseDataFolder } from "./named.ts";

/** A file to download. */
export interface RemoteFile {
  /** Name on the mirror and in the folder. */
  name: string;
  sizeBytes: number;
  /** In lower-case hexadecimal digits. */
  sha256: string;
}

/** Called as bytes arrive; files that were there already count as arrived. */
export type ReportProgress = (doneBytes: number, totalBytes: number) => void;

const MNIST_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/";

const MNIST_DOWNLOADS: readonly RemoteFile[] = [
  {
    name: `${MNIST_FILES.train.images}.gz`,
    sizeBytes: 9_912_422,
    sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
  },
  {
    name: `${MNIST_FILES.train.labels}.gz`,
    sizeBytes: 28_881,
    sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
  },
  {
    name: `${MNIST_FILES.test.images}.gz`,
    sizeBytes: 1_648_877,
    sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
  },
  {
    name: `${MNIST_FILES.test.labels}.gz`,
    sizeBytes: 4_542,
    sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
  },
];

/**
 * Downloads a data set: 12 MB for MNIST. Files that are there with the right checksum are kept.
 *
 * @param options.folder where to; by default `$LPNTK_DATA/mnist`, or `mnist` in the cache folder
 * @param options.mirror URL of the folder to download from
 * @returns the folder
 * @throws {FileError} when a file cannot be downloaded, or is not the one that the checksum asks
 * for
 */
export async function fetchDataset(
  name: "mnist",
  options: { folder?: string; mirror?: string; onProgress?: ReportProgress } = {},
): Promise<string> {
  const { folder = chooseDataFolder(name), mirror = MNIST_MIRROR, onProgress } = options;
  await fetchFiles(MNIST_DOWNLOADS, mirror, folder, onProgress);
  return folder;
}

/**
 * Downloads files into a folder, one after the other. A file appears under its name only when it is
 * whole and its checksum is right.
 *
 * @param mirror URL of the folder to download from
 * @throws {FileError} when a file cannot be downloaded, or is not the one that its checksum asks
 * for
 */
export async function fetchFiles(
  files: readonly RemoteFile[],
  mirror: string,
  folder: string,
  onProgress: ReportProgress = () => {},
): Promise<void> {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  await makeFolder(folder);
  let done = 0;
  for (const file of files) {
    const path = `${folder}/${file.name}`;
    if (!await holdsFile(path, file)) {
      const url = `${mirror.replace(/\/$/, "")}/${file.name}`;
      const bytes = await download(url, file, (received) => onProgress(done + received, total));
      await writeWhole(path, bytes);
    }
    done += file.sizeBytes;
    onProgress(done, total);
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new FileError(folder, `Cannot make folder ${folder}: ${explain(cause)}`, { cause });
  }
}

async function holdsFile(path: string, file: RemoteFile): Promise<boolean> {
  if (!await exists(path)) return false;
  return await hash(await readBytes(path, "a downloaded file")) === file.sha256;
}

/** The bytes of a URL, whole and of the right checksum. */
async function download(
  url: string,
  file: RemoteFile,
  onReceived: (sizeBytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await receive(await open(url), url, file.sizeBytes, onReceived);
  const sha256 = await hash(bytes);
  if (sha256 === file.sha256) return bytes;
  throw new FileError(url, `Cannot download ${url}: got SHA-256 ${sha256}, need ${file.sha256}`);
}

async function open(url: string): Promise<ReadableStream<Uint8Array>> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new FileError(
      url,
      `Cannot download ${url}: got no connection (${explain(cause)}), need network access or ` +
        "another mirror",
      { cause },
    );
  }
  if (response.status === 200 && response.body) return response.body;
  await response.body?.cancel();
  throw new FileError(url, `Cannot download ${url}: got HTTP status ${response.status}, need 200`);
}

async function receive(
  body: ReadableStream<Uint8Array>,
  url: string,
  sizeBytes: number,
  onReceived: (sizeBytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const fail = (state: string, cause?: unknown) =>
    new FileError(url, `Cannot download ${url}: got ${state}, need ${sizeBytes} bytes`, { cause });
  const bytes = new Uint8Array(sizeBytes);
  const reader = body.getReader();
  let received = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw fail(`a broken connection (${explain(cause)}) after ${received} bytes`, cause);
    });
    if (done) break;
    if (received + value.length > sizeBytes) {
      await reader.cancel();
      throw fail(`more than ${sizeBytes} bytes`);
    }
    bytes.set(value, received);
    received += value.length;
    onReceived(received);
  }
  if (received < sizeBytes) throw fail(`${received} bytes`);
  return bytes;
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function explain(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
