/** Files as other programs write them. @module */

/** Encodes an IDX file. */
export function encodeIdx(shape: number[], data: ArrayLike<number>, type = 0x08): Uint8Array {
  const sizes = shape.flatMap((size) => [size >> 24, size >> 16, size >> 8, size]);
  return Uint8Array.from([0, 0, type, shape.length, ...sizes, ...Array.from(data)]);
}

/** Compresses bytes by gzip. */
export async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([Uint8Array.from(bytes)]).stream();
  const compressed = new Response(stream.pipeThrough(new CompressionStream("gzip")));
  return new Uint8Array(await compressed.arrayBuffer());
}
