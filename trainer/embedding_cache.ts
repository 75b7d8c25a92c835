/**
 * Embeddings on disk, so that training again costs no encoding, and a run that was cut off goes on where it was.
 *
 * A cache is one file per encoder and preprocessing, of records that are only ever appended: the SHA-256 of a picture's
 * bytes, then its embedding. A process that is killed leaves at most one broken record at the end, which the next one cuts
 * off.
 */

import { type Preprocessing, sha256 } from "@clip-e/shared";

const KEY_BYTES = 32;

/** Options of {@link EmbeddingCache.open}. */
export interface CacheKey {
  /** SHA-256 of the encoder's bytes. */
  readonly encoder: string;
  /** How pictures become its input. */
  readonly preprocessing: Preprocessing;
  /** Length of an embedding, D. */
  readonly size: number;
}

/** An open cache. */
export class EmbeddingCache {
  readonly #file: Deno.FsFile;
  readonly #records: Map<string, Float32Array>;

  private constructor(file: Deno.FsFile, records: Map<string, Float32Array>) {
    this.#file = file;
    this.#records = records;
  }

  /**
   * Opens the cache of an encoder, or begins it.
   *
   * @param folder of all caches; made if need be
   * @param key what the embeddings depend on, beside the pictures
   */
  static async open(folder: string, key: CacheKey): Promise<EmbeddingCache> {
    await Deno.mkdir(folder, { recursive: true });
    const digest = await sha256(new TextEncoder().encode(JSON.stringify(["v1", key])));
    const path = `${folder}/${digest.slice(0, 32)}.embeddings`;
    const file = await Deno.open(path, { read: true, write: true, create: true });
    const recordBytes = KEY_BYTES + key.size * 4;
    const whole = Math.floor((await file.stat()).size / recordBytes);
    await file.truncate(whole * recordBytes);
    const bytes = await Deno.readFile(path);
    const records = new Map<string, Float32Array>();
    for (let at = 0; at < bytes.length; at += recordBytes) {
      const embedding = bytes.slice(at + KEY_BYTES, at + recordBytes);
      records.set(toHex(bytes.subarray(at, at + KEY_BYTES)), new Float32Array(embedding.buffer));
    }
    await file.seek(0, Deno.SeekMode.End);
    return new EmbeddingCache(file, records);
  }

  /**
   * Looks a picture up.
   *
   * @param picture SHA-256 of its bytes, hexadecimal
   * @returns `[D]`
   */
  get(picture: string): Float32Array | undefined {
    return this.#records.get(picture);
  }

  /**
   * Adds a picture.
   *
   * @param picture SHA-256 of its bytes, hexadecimal
   * @param embedding `[D]`
   */
  async add(picture: string, embedding: Float32Array): Promise<void> {
    const record = new Uint8Array(KEY_BYTES + embedding.byteLength);
    record.set(fromHex(picture));
    record.set(new Uint8Array(embedding.slice().buffer), KEY_BYTES);
    const writer = this.#file;
    for (let at = 0; at < record.length;) at += await writer.write(record.subarray(at));
    this.#records.set(picture, embedding);
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
