/**
 * A picture that is quick to send and slow to decode.
 */

/**
 * Makes a grey PNG, the same everywhere, of the size asked for.
 *
 * @param width in pixels
 * @param height in pixels
 * @returns the file: a few hundred kilobytes at most
 */
export async function makeLargePng(
  width: number,
  height: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits; the colour type 0 is grey
  // A row is its filter, 0, and its pixels.
  const rows = new Uint8Array((width + 1) * height).fill(128);
  for (let y = 0; y < height; y++) rows[y * (width + 1)] = 0;
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk("IHDR", new Uint8Array(header.buffer)),
    pngChunk("IDAT", await new Response(packed).bytes()),
    pngChunk("IEND", new Uint8Array()),
  ];
  return await new Response(new Blob(parts)).bytes();
}

/** A chunk as ISO/IEC 15948, 5.3, has it: length, type, data, CRC of type and data. */
function pngChunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  new TextEncoder().encodeInto(type, bytes.subarray(4));
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** ISO/IEC 15948, 5.5, a bit at a time. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
