/**
 * The cells of a Parquet file, a chunk of rows at a time: pages are compressed as a whole, so pictures that are read in
 * order cost each page once, and no more than two chunks are in memory.
 */

import { parquetScan } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { TrainerError } from "../errors.ts";
import { messageOf } from "./data_failure.ts";
import type { OpenFiles } from "./open_files.ts";
import { bufferOf, type ParquetFile } from "./parquet_file.ts";

/** Rows of one row group. */
export interface RowChunk {
  /** The first row in the file, from 0. */
  readonly start: number;
  /** The row after the last. */
  readonly end: number;
}

/** Pictures are decompressed together up to so many bytes, so that reading in order costs each page once. */
const CHUNK_BYTES = 64 << 20;
/** Chunks in memory: two, so that reading ahead across a border costs nothing. */
const MAX_CHUNKS = 2;

/**
 * Reads a column's values.
 *
 * @param files to read with
 * @param file which
 * @param column its name
 * @param chunk which rows, all in one row group
 */
export async function readRows(
  files: OpenFiles,
  { path, size, metadata }: ParquetFile,
  column: string,
  chunk: RowChunk,
): Promise<ArrayLike<unknown>> {
  const scan = await parquetScan({
    file: bufferOf(files, path, size),
    metadata,
    columns: [column],
    compressors,
    // Picture files are bytes, which decoding as text would spoil. Columns that are text say so themselves.
    utf8: false,
  });
  return await scan.readColumn({ column, rowStart: chunk.start, rowEnd: chunk.end });
}

/** Row ranges of a file that are decompressed together, by its row groups and their sizes. */
export function chunksOf({ metadata }: ParquetFile): RowChunk[] {
  const chunks: RowChunk[] = [];
  let first = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const pieces = Math.max(1, Math.ceil(Number(group.total_byte_size) / CHUNK_BYTES));
    const step = Math.max(1, Math.ceil(rows / pieces));
    for (let start = first; start < first + rows; start += step) {
      chunks.push({ start, end: Math.min(start + step, first + rows) });
    }
    first += rows;
  }
  return chunks;
}

/** The bytes in a cell: itself, or its field `bytes`. */
function bytesOf(cell: unknown): Uint8Array | undefined {
  if (cell instanceof Uint8Array) return cell;
  if (typeof cell !== "object" || cell === null || !("bytes" in cell)) return undefined;
  return cell.bytes instanceof Uint8Array ? cell.bytes : undefined;
}

/** Reads pictures of files, chunk by chunk; the last chunks are kept. */
export class PictureChunks {
  readonly #files: OpenFiles;
  readonly #kept = new Map<string, Promise<ArrayLike<unknown>>>();

  /** Reads with these. */
  constructor(files: OpenFiles) {
    this.#files = files;
  }

  /**
   * Reads one picture.
   *
   * @param file which
   * @param column of pictures
   * @param chunk that has the row
   * @param row in the file, from 0
   * @throws {TrainerError} when it cannot be read
   */
  async read(
    file: ParquetFile,
    column: string,
    chunk: RowChunk,
    row: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const attempt = `Cannot read the picture of row ${row} in ${file.path}`;
    const key = `${chunk.start} ${file.path}`;
    const cells = this.#kept.get(key) ??
      readRows(this.#files, file, column, chunk);
    this.#kept.set(key, cells);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_CHUNKS) break;
      this.#kept.delete(oldest);
    }
    let cell: unknown;
    try {
      cell = (await cells)[row - chunk.start];
    } catch (cause) {
      throw new TrainerError(`${attempt}: ${messageOf(cause)}`, { cause });
    }
    const bytes = bytesOf(cell);
    if (bytes !== undefined) return new Uint8Array(bytes);
    throw new TrainerError(`${attempt}: its column "${column}" has no bytes there`);
  }

  /** Forgets the chunks. */
  clear(): void {
    this.#kept.clear();
  }
}
