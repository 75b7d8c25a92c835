/**
 * A hand of the pool: one worker, which does one job at a time.
 */

import { ClipEError, type ErrorCode } from "@clip-e/shared";
import type { ModelInfo } from "../../model_info.ts";
import type { Job, WorkerAnswer, WorkerSetup } from "./inference_worker.ts";

/** The worker is gone, and with it the job that it had. */
export class HandLost extends ClipEError {}

/** What a job's sender waits for. */
interface Pending {
  readonly resolve: (answer: Exclude<WorkerAnswer, { error: unknown }>) => void;
  readonly reject: (error: unknown) => void;
}

/** One worker. */
export class Hand {
  readonly #worker: Worker;
  readonly #onLost: (hand: Hand) => void;
  #pending: Pending | undefined;
  #isLost = false;
  #model: ModelInfo | undefined;

  private constructor(onLost: (hand: Hand) => void) {
    this.#onLost = onLost;
    this.#worker = new Worker(new URL("./inference_worker.ts", import.meta.url), {
      type: "module",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end("internal", `A worker died: ${event.message}`);
    };
  }

  /**
   * Starts a worker and has it open the bundle.
   *
   * @param setup which bundle
   * @param onLost hears once when the worker is gone, for whatever reason
   */
  static async start(setup: WorkerSetup, onLost: (hand: Hand) => void): Promise<Hand> {
    const hand = new Hand(onLost);
    try {
      const answer = await hand.#exchange(setup);
      if (!("model" in answer)) throw new Error("The worker did not say that it is ready");
      hand.#model = answer.model;
      return hand;
    } catch (error) {
      hand.end("internal", "The worker did not start");
      throw error;
    }
  }

  /** What its classifier says of its model, as of its last job. */
  get model(): ModelInfo {
    if (!this.#model) throw new Error("The worker has not started");
    return this.#model;
  }

  /**
   * Has a job done.
   *
   * @param job its input's bytes are handed over
   * @param timeout in milliseconds; a worker that takes longer is ended
   * @throws {ClipEError} as the classifier does, or {@link HandLost}
   */
  async do(job: Job, timeout: number): Promise<unknown> {
    const timer = setTimeout(
      () =>
        this.end(
          "undecodable",
          `The picture takes longer than ${timeout / 1000} seconds to decode`,
        ),
      timeout,
    );
    try {
      const answer = await this.#exchange(job, [job.input.buffer]);
      if (!("result" in answer)) return undefined;
      if (answer.changed) this.#model = answer.changed;
      return answer.result;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Ends the worker.
   *
   * @param code what the sender of its job is told
   * @param why what the sender of its job is told
   */
  end(code: ErrorCode, why: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#worker.terminate();
    this.#pending?.reject(new HandLost(code, why));
    this.#pending = undefined;
    this.#onLost(this);
  }

  #exchange(
    message: WorkerSetup | Job,
    transfer: Transferable[] = [],
  ): Promise<Exclude<WorkerAnswer, { error: unknown }>> {
    return new Promise((resolve, reject) => {
      if (this.#isLost) return reject(new HandLost("internal", "The worker is gone"));
      this.#pending = { resolve, reject };
      this.#worker.postMessage(message, transfer);
    });
  }

  /** Errors come back as what they were. */
  #settle(answer: WorkerAnswer): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!("error" in answer)) return pending?.resolve(answer);
    const { code, message } = answer.error;
    pending?.reject(code ? new ClipEError(code, message) : new Error(message));
  }
}
