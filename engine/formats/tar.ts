/**
 * Tar archives: for each file a header of 512 bytes and then its contents, padded to a multiple of 512 bytes.
 *
 * @see POSIX.1-2024, pax, "ustar Interchange Format"
 * @module
 */

const BLOCK = 512;

/** Offset and length of the fields of a header, in bytes. */
const FIELDS = { name: [0, 100], size: [124, 12], checksum: [148, 8], type: [156, 1] } as const;

/** A file in an archive. */
export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Lists the regular files of an archive; their bytes are views of the archive's.
 *
 * @param fail makes the error from the state that was found, such as `a broken tar archive`
 */
export function decodeTar(
  archive: Uint8Array<ArrayBuffer>,
  fail: (state: string) => Error,
): TarFile[] {
  const files: TarFile[] = [];
  for (let start = 0; start + BLOCK <= archive.length;) {
    const header = archive.subarray(start, start + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const sizeBytes = readOctal(header, "size");
    const end = start + BLOCK + sizeBytes;
    const isRight = readOctal(header, "checksum") === sumHeader(header) && end <= archive.length;
    if (!isRight) throw fail("a broken tar archive");
    if (/^0?$/.test(readText(header, "type"))) {
      files.push({ name: readText(header, "name"), bytes: archive.subarray(start + BLOCK, end) });
    }
    start += BLOCK * (1 + Math.ceil(sizeBytes / BLOCK));
  }
  return files;
}

/** Sums a header's bytes, where those of the checksum field count as spaces. */
function sumHeader(header: Uint8Array): number {
  const [first, length] = FIELDS.checksum;
  return header.reduce(
    (sum, byte, i) => sum + (i >= first && i < first + length ? 0x20 : byte),
    0,
  );
}

/** Reads a field as text, up to its first zero byte. */
function readText(header: Uint8Array, field: keyof typeof FIELDS): string {
  const [first, length] = FIELDS[field];
  return new TextDecoder().decode(header.subarray(first, first + length)).replace(/\0.*$/s, "");
}

/** Reads a field as an octal number, or NaN. */
function readOctal(header: Uint8Array, field: keyof typeof FIELDS): number {
  const digits = readText(header, field).trim();
  return /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
}
