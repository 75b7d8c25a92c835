/**
 * A classifier that computes in workers: decoding and inference block their thread, and the one that answers HTTP must not
 * be blocked. A worker that dies is replaced; the picture that killed it is answered with an error.
 */

import { ClipEError } from "@clip-e/shared";
import type { Classification, Classifier, PictureEmbedding } from "../../classifier.ts";
import type { ModelInfo } from "../../model_info.ts";
import { planPredictions } from "../../plan.ts";
import type { Job, WorkerAnswer, WorkerSetup } from "./inference_worker.ts";

/** Options of {@link createWorkerPool}. */
export interface WorkerPoolOptions extends WorkerSetup {
  /** How many workers. By default one to each core. */
  readonly workers?: number;
}

/** A worker with room for one job. */
interface Hand {
  readonly worker: Worker;
  readonly model: ModelInfo;
}

interface Waiting {
  readonly job: Job;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a bundle in several workers.
 *
 * @param options the bundle's folder, and how many workers
 * @throws {ClipEError} `invalid-bundle`, as `createClassifier` does
 */
export async function createWorkerPool(options: WorkerPoolOptions): Promise<Classifier> {
  const { workers = navigator.hardwareConcurrency, ...setup } = options;
  const hands = await Promise.all(Array.from({ length: workers }, () => startHand(setup)));
  const [{ model }] = hands;
  const idle = [...hands];
  const all = new Set(hands);
  const waiting: Waiting[] = [];
  let isClosed = false;

  function run(job: Job): Promise<unknown> {
    return new Promise((resolve, reject) => {
      waiting.push({ job, resolve, reject });
      work();
    });
  }

  /** Gives waiting jobs to idle hands. */
  function work(): void {
    while (idle.length > 0 && waiting.length > 0) {
      const hand = idle.pop();
      const next = waiting.shift();
      if (hand && next) handOver(hand, next);
    }
  }

  async function handOver(hand: Hand, { job, resolve, reject }: Waiting): Promise<void> {
    try {
      resolve(await ask(hand.worker, job));
    } catch (error) {
      reject(error);
      if (error instanceof WorkerDied) return await replace(hand);
    }
    idle.push(hand);
    work();
  }

  async function replace(dead: Hand): Promise<void> {
    all.delete(dead);
    dead.worker.terminate();
    if (isClosed) return;
    try {
      const hand = await startHand(setup);
      all.add(hand);
      idle.push(hand);
      work();
    } catch (error) {
      // The bundle is gone: with nobody left, those who wait would wait for ever.
      if (all.size === 0) waiting.splice(0).forEach(({ reject }) => reject(error));
    }
  }

  return {
    model,
    concurrency: workers,
    classify: async (picture, options = {}) => {
      planPredictions(model, options);
      return await run({ kind: "classify", picture, options }) as Classification;
    },
    embed: async (picture) => await run({ kind: "embed", picture }) as PictureEmbedding,
    close: () => {
      isClosed = true;
      for (const { worker } of all) worker.terminate();
      return Promise.resolve();
    },
  };
}

/** A worker failed outside of a job's own error handling: out of memory, most likely. */
class WorkerDied extends Error {
  override readonly name = "WorkerDied";
}

async function startHand(setup: WorkerSetup): Promise<Hand> {
  const worker = new Worker(new URL("./inference_worker.ts", import.meta.url), { type: "module" });
  try {
    const answer = await exchange(worker, setup);
    if ("model" in answer) return { worker, model: answer.model };
    throw new Error("the worker did not say that it is ready");
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

async function ask(worker: Worker, job: Job): Promise<unknown> {
  const answer = await exchange(worker, job, [job.picture.buffer]);
  return "result" in answer ? answer.result : undefined;
}

/** Sends a message and waits for the answer; errors come back as what they were. */
function exchange(
  worker: Worker,
  message: WorkerSetup | Job,
  transfer: Transferable[] = [],
): Promise<Exclude<WorkerAnswer, { error: unknown }>> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
      if (!("error" in data)) return resolve(data);
      const { code, message } = data.error;
      reject(code ? new ClipEError(code, message) : new Error(message));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new WorkerDied(`A worker died: ${event.message}`));
    };
    worker.postMessage(message, transfer);
  });
}
