/**
 * A hand of the pool: one worker, which embeds one picture at a time.
 */

import { ClipEError } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import type { PictureEmbedding, WorkerAnswer, WorkerJob, WorkerSetup } from "./encoder_worker.ts";

/** The worker died, and with it the picture that it had; another worker may do it. */
export class HandLost extends Error {
  /** The class's name, as error reports print it. */
  override readonly name = "HandLost";
}

/** What embeds pictures, one at a time. */
export interface Hand {
  /** D. */
  readonly size: number;
  /** Whether it is never to be used again. */
  readonly isLost: boolean;
  /**
   * Embeds a picture.
   *
   * @param picture a file's bytes, which are handed over
   * @throws {ClipEError} when it is no picture that can be embedded
   * @throws {HandLost} when the worker died
   */
  embed(picture: Uint8Array<ArrayBuffer>): Promise<PictureEmbedding>;
  /** Ends the worker; a picture that it has is lost. */
  end(): void;
}

type Answer = Exclude<WorkerAnswer, { error: unknown }>;

/**
 * Starts a worker and has it open the encoder.
 *
 * @param setup which encoder
 * @param timeout how long a picture may take, in milliseconds; a worker that takes longer is ended
 * @throws {ClipEError} when the encoder is none
 * @throws {TrainerError} when it cannot be run
 */
export async function startHand(setup: WorkerSetup, timeout: number): Promise<Hand> {
  const worker = new Worker(new URL("./encoder_worker.ts", import.meta.url), { type: "module" });
  let settle: ((answer: WorkerAnswer | HandLost) => void) | undefined;
  let lost: HandLost | undefined;

  function lose(why: string): void {
    lost ??= new HandLost(why);
    worker.terminate();
    settle?.(lost);
  }
  worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => settle?.(data);
  worker.onerror = (event) => {
    event.preventDefault();
    lose(`The worker died: ${event.message}`);
  };

  function exchange(
    message: WorkerSetup | WorkerJob,
    transfer: Transferable[] = [],
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (lost) return reject(lost);
      settle = (answer) => {
        settle = undefined;
        if (answer instanceof HandLost) return reject(answer);
        if ("error" in answer) return reject(reviveError(answer.error));
        resolve(answer);
      };
      worker.postMessage(message, transfer);
    });
  }

  async function start(): Promise<number> {
    try {
      // Handed over, so that there is one copy at a time.
      const bytes = setup.bytes.slice();
      const answer = await exchange({ ...setup, bytes }, [bytes.buffer]);
      if ("size" in answer) return answer.size;
      throw new Error("The worker did not say that it is ready");
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }

  return {
    size: await start(),
    get isLost() {
      return lost !== undefined;
    },
    async embed(picture) {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        lose("It took too long");
      }, timeout);
      try {
        const answer = await exchange({ picture }, [picture.buffer]);
        if ("result" in answer) return answer.result;
        throw new Error("The worker gave no embedding");
      } catch (error) {
        if (!isLate) throw error;
        throw new ClipEError(
          "undecodable",
          `The picture takes longer than ${timeout / 1000} seconds to embed`,
        );
      } finally {
        clearTimeout(timer);
      }
    },
    end() {
      // One that is at work may take long to hear of it.
      if (settle) return lose("The worker was ended");
      lost ??= new HandLost("The worker was ended");
      worker.postMessage("close");
    },
  };
}

/** Errors come back as what they were. */
function reviveError(
  { code, isExpected, message }: Extract<WorkerAnswer, { error: unknown }>["error"],
): Error {
  if (code) return new ClipEError(code, message);
  return isExpected ? new TrainerError(message) : new Error(message);
}
