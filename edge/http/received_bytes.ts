/**
 * The bytes of a download that have come. A file whose length is known is written into its place: no copy is made of a large
 * one.
 */

/** A file whose length is not known may not be longer than this. */
const MAX_UNKNOWN_LENGTH = 16 * 1024 * 1024;

/** Bytes, piece by piece. */
export class ReceivedBytes {
  /** How many may come. */
  readonly limit: number;
  /** How many have. */
  length = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  /**
   * Makes room.
   *
   * @param length of the file, where it is known
   */
  constructor(length: number | undefined) {
    this.limit = length ?? MAX_UNKNOWN_LENGTH;
    this.#bytes = new Uint8Array(length ?? 65_536);
  }

  /** Takes a piece; `false` when it is one too many. */
  add(piece: Uint8Array): boolean {
    const end = this.length + piece.length;
    if (end > this.limit) return false;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.limit, Math.max(end, 2 * this.#bytes.length)));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.length);
    this.length = end;
    return true;
  }

  /** Forgets what has come. */
  restart(): void {
    this.length = 0;
  }

  /** What has come; nothing may come afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.length === this.length ? this.#bytes : this.#bytes.slice(0, this.length);
  }
}
