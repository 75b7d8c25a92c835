/**
 * Admission: how many pictures, and how many bytes of uploads, may be in the house at once. What would wait too long or
 * fill the memory is turned away at the door, so that those inside are answered.
 */

import { ClipEError } from "@clip-e/shared";

/** What one request holds. */
export interface Ticket {
  /**
   * Makes room for bytes of the upload, as they come.
   *
   * @throws {ClipEError} `queue-full`, when there is none
   */
  addBytes(count: number): void;
  /**
   * Makes room for pictures, before they are computed.
   *
   * @throws {ClipEError} `queue-full`, when there is none
   */
  addPictures(count: number): void;
  /** Gives everything back. */
  leave(): void;
}

/** Lets requests in. */
export type Admission = () => Ticket;

/**
 * Makes an admission. A request on an idle server is let in, whatever it holds.
 *
 * @param maxPictures being computed or waiting
 * @param maxBytes of uploads that are read, waiting or computed
 */
export function createAdmission(maxPictures: number, maxBytes: number): Admission {
  const inside = { pictures: 0, bytes: 0 };
  const take = (held: typeof inside, what: keyof typeof inside, count: number, most: number) => {
    const others = inside[what] - held[what];
    if (others > 0 && inside[what] + count > most) {
      throw new ClipEError("queue-full", "Too many pictures are waiting: try again in a moment");
    }
    inside[what] += count;
    held[what] += count;
  };
  return () => {
    const held = { pictures: 0, bytes: 0 };
    return {
      addBytes: (count) => take(held, "bytes", count, maxBytes),
      addPictures: (count) => take(held, "pictures", count, maxPictures),
      leave() {
        inside.pictures -= held.pictures;
        inside.bytes -= held.bytes;
        held.pictures = held.bytes = 0;
      },
    };
  };
}
