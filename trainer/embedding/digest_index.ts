/**
 * A map from SHA-256 digests to numbers that stays small: open addressing in typed arrays, 52 to 96 bytes an entry, where a
 * `Map` of hexadecimal strings takes several times that.
 */

/** Bytes of a SHA-256 digest. */
export const DIGEST_BYTES = 32;

/** Digests and their values, in the order in which they were added. */
export class DigestIndex {
  #count = 0;
  #digests = new Uint8Array(DIGEST_BYTES * 1024);
  #values = new Float64Array(1024);
  /** By a digest's first bits: 1 + its entry, 0 where there is none; at most half full. */
  #slots = new Uint32Array(2048);

  /** How many digests there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * Looks a digest up.
   *
   * @param digests where it stands
   * @param at its first byte
   * @returns its entry, counted from 0 in the order of adding, or -1
   */
  find(digests: Uint8Array, at = 0): number {
    return this.#slots[this.#findSlot(digests, at)] - 1;
  }

  /** The value of an entry. */
  value(entry: number): number {
    return this.#values[entry];
  }

  /**
   * Adds a digest; one that is there keeps its value.
   *
   * @param digest 32 bytes
   * @param value any number
   * @returns whether it is new
   */
  add(digest: Uint8Array, value: number): boolean {
    const slot = this.#findSlot(digest, 0);
    if (this.#slots[slot] > 0) return false;
    if (this.#count === this.#values.length) {
      this.#grow();
      return this.add(digest, value);
    }
    this.#digests.set(digest.subarray(0, DIGEST_BYTES), this.#count * DIGEST_BYTES);
    this.#values[this.#count] = value;
    this.#slots[slot] = ++this.#count;
    return true;
  }

  /** The slot that holds a digest, or the free one where it belongs. */
  #findSlot(digests: Uint8Array, at: number): number {
    const last = this.#slots.length - 1;
    let slot = firstBits(digests, at) & last;
    while (this.#slots[slot] > 0 && !this.#holds(this.#slots[slot] - 1, digests, at)) {
      slot = (slot + 1) & last;
    }
    return slot;
  }

  #holds(entry: number, digests: Uint8Array, at: number): boolean {
    const own = entry * DIGEST_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) {
      if (this.#digests[own + i] !== digests[at + i]) return false;
    }
    return true;
  }

  #grow(): void {
    const capacity = this.#values.length * 2;
    this.#digests = enlarged(this.#digests, new Uint8Array(capacity * DIGEST_BYTES));
    this.#values = enlarged(this.#values, new Float64Array(capacity));
    this.#slots = new Uint32Array(capacity * 2);
    for (let entry = 0; entry < this.#count; entry++) {
      this.#slots[this.#findSlot(this.#digests, entry * DIGEST_BYTES)] = entry + 1;
    }
  }
}

/** A digest's bits are as good as random: its first ones need no hashing. */
function firstBits(digests: Uint8Array, at: number): number {
  return digests[at] | digests[at + 1] << 8 | digests[at + 2] << 16 | digests[at + 3] << 24;
}

function enlarged<T extends Uint8Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
