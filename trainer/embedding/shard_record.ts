/**
 * One record of an embedding store's files: what is known of a picture, in a fixed number of bytes, little-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 32 | SHA-256 of the picture file |
 * | 8 | perceptual hash |
 * | 4 D | embedding, float32 |
 * | 4 | CRC-32 of all before, begun with the store's own key |
 *
 * A record that was cut off, changed, or belongs to another encoder does not have the CRC that it should; and as all are of
 * one length, those behind it are found nevertheless.
 */

import { crc32 } from "node:zlib";
import { DIGEST_BYTES } from "./digest_index.ts";

const HASH_AT = DIGEST_BYTES;
const EMBEDDING_AT = HASH_AT + 8;
const CRC_BYTES = 4;

/** How a store's records look. */
export interface RecordFormat {
  /** Of a record. */
  readonly bytes: number;
  /** D. */
  readonly size: number;
  /** What the CRC begins with. */
  readonly seed: number;
}

/**
 * The format of a store's records.
 *
 * @param size D
 * @param name of the store: what its embeddings depend on, digested
 */
export function recordFormat(size: number, name: string): RecordFormat {
  return { bytes: EMBEDDING_AT + 4 * size + CRC_BYTES, size, seed: crc32(name) };
}

/**
 * Writes a record.
 *
 * @param digest SHA-256 of the picture file, 32 bytes
 * @param hash the picture's perceptual hash
 * @param embedding `[D]`
 */
export function writeRecord(
  format: RecordFormat,
  digest: Uint8Array,
  hash: bigint,
  embedding: Float32Array,
): Uint8Array {
  if (digest.length !== DIGEST_BYTES || embedding.length !== format.size) {
    throw new RangeError(
      `Cannot store ${embedding.length} numbers under a digest of ${digest.length} bytes: the store ` +
        `takes ${format.size} under ${DIGEST_BYTES}`,
    );
  }
  const record = new Uint8Array(format.bytes);
  const view = new DataView(record.buffer);
  record.set(digest);
  view.setBigUint64(HASH_AT, hash, true);
  embedding.forEach((x, i) => view.setFloat32(EMBEDDING_AT + 4 * i, x, true));
  view.setUint32(format.bytes - CRC_BYTES, crcOf(format, record), true);
  return record;
}

/** Whether a record is as it was written. */
export function isWhole(format: RecordFormat, record: Uint8Array): boolean {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  return view.getUint32(format.bytes - CRC_BYTES, true) === crcOf(format, record);
}

/** A record's perceptual hash. */
export function hashOf(record: Uint8Array): bigint {
  return new DataView(record.buffer, record.byteOffset).getBigUint64(HASH_AT, true);
}

/**
 * Copies a record's embedding.
 *
 * @param out written to
 * @param at where in `out` its D numbers go
 */
export function copyEmbedding(
  { size }: RecordFormat,
  record: Uint8Array,
  out: Float32Array,
  at: number,
): void {
  const view = new DataView(record.buffer, record.byteOffset + EMBEDDING_AT, 4 * size);
  for (let i = 0; i < size; i++) out[at + i] = view.getFloat32(4 * i, true);
}

function crcOf({ bytes, seed }: RecordFormat, record: Uint8Array): number {
  return crc32(record.subarray(0, bytes - CRC_BYTES), seed);
}
