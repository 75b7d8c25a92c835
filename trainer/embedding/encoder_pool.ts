/**
 * Workers that embed pictures, on all cores. They start when there is something to do, one after another, as opening an
 * encoder takes several times its memory for a moment; one that dies is replaced.
 */

import type { Hand } from "./encoder_hand.ts";
import type { PictureEmbedding } from "./encoder_worker.ts";

/** Embeds pictures, as many at a time as it has workers. */
export interface EncoderPool {
  /** How many workers there are at most. */
  readonly workers: number;
  /** D; starts the first worker. */
  size(): Promise<number>;
  /**
   * Embeds a picture when a worker is free.
   *
   * @param picture a file's bytes, which are handed over
   * @throws {ClipEError} when it is no picture that can be embedded
   * @throws {HandLost} when its worker died
   * @throws {StartError} when no worker can be had: the encoder cannot be run
   */
  embed(picture: Uint8Array<ArrayBuffer>): Promise<PictureEmbedding>;
  /** Ends all workers; pictures that they have are lost. */
  close(): void;
}

/** No worker can be had. Its cause says why. */
export class StartError extends Error {
  /** The class's name, as error reports print it. */
  override readonly name = "StartError";
}

/**
 * Makes a pool.
 *
 * @param workers how many, at most
 * @param start starts one
 */
export function createEncoderPool(workers: number, start: () => Promise<Hand>): EncoderPool {
  const hands = new Set<Hand>();
  const idle: Hand[] = [];
  const waiting: { resolve: (hand: Hand) => void; reject: (error: unknown) => void }[] = [];
  let isStarting = false;
  let isClosed = false;

  function take(): Promise<Hand> {
    return new Promise((resolve, reject) => {
      if (isClosed) return reject(new StartError("The pool is closed"));
      waiting.push({ resolve, reject });
      work();
    });
  }

  /** Gives idle hands to those who wait, and starts another where there are too few. */
  function work(): void {
    while (idle.length > 0 && waiting.length > 0) {
      const hand = idle.pop();
      if (hand) waiting.shift()?.resolve(hand);
    }
    if (waiting.length > 0 && !isStarting && hands.size < workers && !isClosed) void hire();
  }

  async function hire(): Promise<void> {
    isStarting = true;
    try {
      const hand = await start();
      if (isClosed) return hand.end();
      hands.add(hand);
      idle.push(hand);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const error = new StartError(why, { cause });
      waiting.splice(0).forEach(({ reject }) => reject(error));
    } finally {
      isStarting = false;
    }
    work();
  }

  return {
    workers,
    async size() {
      const hand = await take();
      idle.push(hand);
      work();
      return hand.size;
    },
    async embed(picture) {
      const hand = await take();
      try {
        return await hand.embed(picture);
      } finally {
        if (hand.isLost) hands.delete(hand);
        else idle.push(hand);
        work();
      }
    },
    close() {
      isClosed = true;
      const error = new StartError("The pool was closed");
      waiting.splice(0).forEach(({ reject }) => reject(error));
      for (const hand of hands) hand.end();
      hands.clear();
    },
  };
}
