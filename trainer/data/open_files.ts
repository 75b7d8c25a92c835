/**
 * Files from which many pictures are read: a few stay open, so that a picture costs one seek and one read. Nothing is
 * held in memory.
 */

/** How many files stay open: whoever reads in order needs one or two. */
const LIMIT = 4;

/** Files open for reading at any place. */
export class OpenFiles {
  /** By path, the least recently used first. */
  readonly #files = new Map<string, Deno.FsFile>();

  #open(path: string): Deno.FsFile {
    const file = this.#files.get(path) ?? Deno.openSync(path);
    this.#files.delete(path);
    this.#files.set(path, file);
    for (const [oldest, unused] of this.#files) {
      if (this.#files.size <= LIMIT) break;
      this.#files.delete(oldest);
      unused.close();
    }
    return file;
  }

  /**
   * Reads part of a file. It is synchronous on purpose: a file has one position, and nothing may move it between the seek
   * and the read; a picture's few kilobytes are read faster than a promise is kept.
   *
   * @param path the file
   * @param start of the first byte, from 0
   * @param length in bytes
   * @returns fewer bytes where the file ends
   * @throws {Deno.errors.NotFound} and whatever else `Deno.openSync` throws
   */
  read(path: string, start: number, length: number): Uint8Array<ArrayBuffer> {
    const file = this.#open(path);
    const bytes = new Uint8Array(length);
    file.seekSync(start, Deno.SeekMode.Start);
    let filled = 0;
    while (filled < length) {
      const count = file.readSync(bytes.subarray(filled));
      if (count === null) break;
      filled += count;
    }
    return filled === length ? bytes : bytes.slice(0, filled);
  }

  /** Closes every file. A later read opens its file again. */
  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }
}
