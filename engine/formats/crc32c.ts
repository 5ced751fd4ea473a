/** CRC-32C, the checksum of Zarr's `crc32c` codec. @module */

/** The Castagnoli polynomial, with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** Lookup tables: `TABLES[k][byte]` is the remainder of that byte followed by k zero bytes. */
const TABLES = tabulate();

/**
 * Computes the CRC-32C of bytes (RFC 3720, appendix B.4) as an unsigned 32-bit integer, at about 1 GB/s.
 *
 * Bytes whose offset in their buffer is a multiple of 4 are looked up eight at a time, each in a table of its own.
 */
export function computeCrc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let crc = -1;
  let done = 0;
  if (bytes.byteOffset % 4 === 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, 2 * (bytes.length >>> 3));
    for (let i = 0; i < words.length; i += 2) {
      const a = words[i] ^ crc;
      const b = words[i + 1];
      crc = t7[a & 255] ^ t6[a >>> 8 & 255] ^ t5[a >>> 16 & 255] ^ t4[a >>> 24] ^
        t3[b & 255] ^ t2[b >>> 8 & 255] ^ t1[b >>> 16 & 255] ^ t0[b >>> 24];
    }
    done = words.byteLength;
  }
  for (let i = done; i < bytes.length; i++) crc = t0[(crc ^ bytes[i]) & 255] ^ crc >>> 8;
  return ~crc >>> 0;
}

function tabulate(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    return crc;
  });
  const tables = [first];
  while (tables.length < 8) {
    tables.push(tables.at(-1)!.map((crc) => crc >>> 8 ^ first[crc & 255]));
  }
  return tables;
}
