/**
 * Embeddings on disk, so that a picture is encoded once, whatever run, process or machine did it.
 *
 * A cache is a folder of stores, one for each key (see `store_key.ts`); a store is a folder of shards (see `shard_file.ts`).
 * Whoever writes does so into files of its own, so that any number of processes may share a store without locks, also on a
 * network's file system. What others write after a store was opened is not seen until it is opened again: at worst a picture
 * is encoded twice. In memory there is an index alone; embeddings are read when they are asked for.
 */

import { TrainerError } from "../errors.ts";
import { DIGEST_BYTES, DigestIndex } from "./digest_index.ts";
import { listShards, readRecords, scanShard, ShardWriter } from "./shard_file.ts";
import {
  copyEmbedding,
  hashOf,
  isWhole,
  type RecordFormat,
  recordFormat,
  writeRecord,
} from "./shard_record.ts";
import { makeStoreFolder, type StoreKey, storeName } from "./store_key.ts";

/** Options of {@linkcode EmbeddingStore.open}. */
export interface StoreOptions {
  /** Begins the names of the files that are written, for people to tell them apart; `embeddings` by default. */
  readonly label?: string;
  /** A file that would become larger is followed by another; 64 MB by default. */
  readonly shardBytes?: number;
}

/** A record's place as one number: its shard's, and its own within it. */
const SHARD = 2 ** 32;

/** An open store. */
export class EmbeddingStore {
  /** Its folder. */
  readonly folder: string;
  /** D. */
  readonly size: number;
  readonly #format: RecordFormat;
  readonly #index = new DigestIndex();
  readonly #shards: string[] = [];
  readonly #writer: ShardWriter;
  #damaged = 0;

  private constructor(folder: string, format: RecordFormat, writer: ShardWriter) {
    this.folder = folder;
    this.size = format.size;
    this.#format = format;
    this.#writer = writer;
  }

  /**
   * Opens the store of a key, or begins it. Reads every shard once, and checks every record.
   *
   * @param cache the folder of all stores; made if need be
   * @param key what the embeddings depend on, beside the pictures
   * @param options how to write
   * @throws {TrainerError} when the folder cannot be used
   */
  static async open(
    cache: string,
    key: StoreKey,
    options: StoreOptions = {},
  ): Promise<EmbeddingStore> {
    const { label = "embeddings", shardBytes = 64_000_000 } = options;
    try {
      const folder = await makeStoreFolder(cache, key);
      const format = recordFormat(key.size, await storeName(key));
      const writer = new ShardWriter(folder, label, shardBytes);
      const store = new EmbeddingStore(folder, format, writer);
      for (const path of await listShards(folder)) await store.#scan(path);
      return store;
    } catch (cause) {
      if (!(cause instanceof Error) || cause instanceof TrainerError) throw cause;
      throw new TrainerError(`Cannot use the cache ${cache}: ${cause.message}`, { cause });
    }
  }

  /** How many pictures it has. */
  get count(): number {
    return this.#index.count;
  }

  /** How many records were left out when it was opened, as they are not what was once written. */
  get damaged(): number {
    return this.#damaged;
  }

  /**
   * Whether it has a picture.
   *
   * @param digest SHA-256 of the picture file, 32 bytes
   */
  has(digest: Uint8Array): boolean {
    return this.#index.find(digest) >= 0;
  }

  /**
   * Adds a picture; one that is there stays as it is. It is on disk when this returns, as far as a process can tell.
   *
   * @param digest SHA-256 of the picture file, 32 bytes
   * @param hash its perceptual hash
   * @param embedding `[D]`
   * @throws {TrainerError} when it cannot be written
   */
  add(digest: Uint8Array, hash: bigint, embedding: Float32Array): void {
    this.addRecord(writeRecord(this.#format, digest, hash, embedding));
  }

  /**
   * Adds a picture from a record of another store of the same key.
   *
   * @returns whether it is new
   * @throws {TrainerError} when it cannot be written
   * @throws {RangeError} when the record is not whole
   */
  addRecord(record: Uint8Array): boolean {
    if (!isWhole(this.#format, record)) throw new RangeError("Cannot store a damaged record");
    if (this.has(record)) return false;
    const { path, number } = this.#append(record);
    if (this.#shards.at(-1) !== path) this.#shards.push(path);
    return this.#index.add(record, (this.#shards.length - 1) * SHARD + number);
  }

  #append(record: Uint8Array): { readonly path: string; readonly number: number } {
    try {
      return this.#writer.append(record);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TrainerError(
        `Cannot keep an embedding in ${this.folder}: ${why}. Those before it are kept`,
        { cause },
      );
    }
  }

  /**
   * Reads pictures in bulk, each file from front to back.
   *
   * @param digests `[N, 32]` bytes, of pictures that it has
   * @param embeddings `[N, D]`, written to
   * @param hashes `[N]`, written to
   * @throws {RangeError} when a picture is not there, or the lengths do not agree
   * @throws {TrainerError} when a file was changed since the store was opened
   */
  async read(
    digests: Uint8Array,
    embeddings: Float32Array,
    hashes: BigUint64Array,
  ): Promise<void> {
    const count = digests.length / DIGEST_BYTES;
    if (hashes.length !== count || embeddings.length !== count * this.size) {
      throw new RangeError(
        `Cannot read ${count} pictures into [${embeddings.length}] and [${hashes.length}]: ` +
          `expected [${count} * ${this.size}] and [${count}]`,
      );
    }
    const { rows, places } = this.#locate(digests, count);
    for (let start = 0, end = 0; start < count; start = end) {
      const shard = Math.floor(places[start] / SHARD);
      while (end < count && places[end] < (shard + 1) * SHARD) end++;
      // Storing a number takes it modulo 2^32, which leaves the record's.
      const numbers = Uint32Array.from(places.subarray(start, end));
      await readRecords(this.#shards[shard], this.#format, numbers, (record, i) => {
        if (!record) throw changed(this.#shards[shard]);
        const row = rows[start + i];
        hashes[row] = hashOf(record);
        copyEmbedding(this.#format, record, embeddings, row * this.size);
      });
    }
  }

  /** Places of pictures, ascending, and the rows that ask for them. */
  #locate(digests: Uint8Array, count: number): { rows: Uint32Array; places: Float64Array } {
    // Entries are numbered in the order of places: both stand in one number, to be sorted as numbers are.
    const keys = Float64Array.from({ length: count }, (_, row) => {
      const entry = this.#index.find(digests, row * DIGEST_BYTES);
      if (entry < 0) throw new RangeError(`Cannot read picture ${row}: the store does not have it`);
      return entry * count + row;
    }).sort();
    return {
      rows: Uint32Array.from(keys, (key) => key % count),
      places: keys.map((key) => this.#index.value(Math.floor(key / count))),
    };
  }

  /** Calls back with every whole record; views that are good until it returns. */
  async scan(onRecord: (record: Uint8Array) => void): Promise<void> {
    for (const path of this.#shards) await scanShard(path, this.#format, onRecord);
  }

  /** Ends writing. */
  close(): void {
    this.#writer.close();
  }

  async #scan(path: string): Promise<void> {
    const shard = this.#shards.push(path) - 1;
    this.#damaged += await scanShard(path, this.#format, (record, number) => {
      this.#index.add(record, shard * SHARD + number);
    });
  }
}

function changed(path: string): TrainerError {
  return new TrainerError(
    `Cannot read embeddings: ${path} was changed while it was in use. Run it again, and what is ` +
      "damaged is embedded anew",
  );
}
