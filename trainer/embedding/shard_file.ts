/**
 * The files of an embedding store, "shards": records one after another, and nothing else. One writer makes a file and alone
 * appends to it, under a name that nobody else takes, so that no lock is needed; readers leave out what is not whole.
 */

import { isWhole, type RecordFormat } from "./shard_record.ts";

/** What shards' names end in. */
const SUFFIX = ".embeddings";

/** How much is read at once, in bytes. */
const WINDOW = 1 << 20;

/**
 * The shards in a folder, by name.
 *
 * @returns paths
 */
export async function listShards(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && name.endsWith(SUFFIX)) names.push(name);
  }
  return names.sort().map((name) => `${folder}/${name}`);
}

/**
 * Reads a shard from front to back. What a writer that was killed, or is still at work, left at the end is not looked at.
 *
 * @param path of the shard
 * @param onRecord is given each whole record, a view that is good until it returns, and its number
 * @returns how many records are damaged
 */
export async function scanShard(
  path: string,
  format: RecordFormat,
  onRecord: (record: Uint8Array, number: number) => void,
): Promise<number> {
  using file = await Deno.open(path);
  const window = new Uint8Array(windowRecords(format) * format.bytes);
  let damaged = 0;
  for (let first = 0;;) {
    const records = Math.floor(await fill(file, window) / format.bytes);
    for (let i = 0; i < records; i++) {
      const record = window.subarray(i * format.bytes, (i + 1) * format.bytes);
      if (isWhole(format, record)) onRecord(record, first + i);
      else damaged++;
    }
    first += records;
    if (records * format.bytes < window.length) return damaged;
  }
}

/**
 * Reads some of a shard's records.
 *
 * @param path of the shard
 * @param numbers of the records, ascending; some may occur several times
 * @param onRecord is given each, a view that is good until it returns, and its place in `numbers`; `undefined` for one that
 * is not whole
 */
export async function readRecords(
  path: string,
  format: RecordFormat,
  numbers: Uint32Array,
  onRecord: (record: Uint8Array | undefined, place: number) => void,
): Promise<void> {
  using file = await Deno.open(path);
  const window = new Uint8Array(windowRecords(format) * format.bytes);
  let first = 0;
  let end = 0;
  for (let place = 0; place < numbers.length; place++) {
    if (numbers[place] >= end) {
      first = numbers[place];
      await file.seek(first * format.bytes, Deno.SeekMode.Start);
      end = first + Math.max(1, Math.floor(await fill(file, window) / format.bytes));
    }
    const at = (numbers[place] - first) * format.bytes;
    const record = window.subarray(at, at + format.bytes);
    onRecord(isWhole(format, record) ? record : undefined, place);
  }
}

function windowRecords({ bytes }: RecordFormat): number {
  return Math.max(1, Math.floor(WINDOW / bytes));
}

/** Reads until a buffer is full or the file ends; what is left of the buffer becomes 0. */
async function fill(file: Deno.FsFile, buffer: Uint8Array): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const read = await file.read(buffer.subarray(length));
    if (read === null) break;
    length += read;
  }
  buffer.fill(0, length);
  return length;
}

/** Appends to shards of its own. */
export class ShardWriter {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #name: string;
  #file: Deno.FsFile | undefined;
  #path = "";
  #shards = 0;
  #bytes = 0;
  #records = 0;

  /**
   * Makes a writer, but no file yet.
   *
   * @param folder of the shards
   * @param label begins the files' names, for people
   * @param maxBytes of a file
   */
  constructor(folder: string, label: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#name = `${label}-${crypto.randomUUID()}`;
  }

  /**
   * Appends a record, by one call of the system: a process that is killed leaves all or, at worst, the beginning of it.
   *
   * @returns the file's path and the record's number in it
   * @throws {Error} when it cannot be written; the file is left, and the next record begins another
   */
  append(record: Uint8Array): { readonly path: string; readonly number: number } {
    if (this.#file && this.#bytes + record.length > this.#maxBytes) this.close();
    const file = this.#file ?? this.#begin();
    try {
      for (let at = 0; at < record.length;) at += file.writeSync(record.subarray(at));
    } catch (error) {
      this.close();
      throw error;
    }
    this.#bytes += record.length;
    return { path: this.#path, number: this.#records++ };
  }

  /** Closes the file that is open, if any. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #begin(): Deno.FsFile {
    const number = String(this.#shards++).padStart(4, "0");
    this.#path = `${this.#folder}/${this.#name}-${number}${SUFFIX}`;
    this.#bytes = 0;
    this.#records = 0;
    return this.#file = Deno.openSync(this.#path, { createNew: true, append: true });
  }
}
