/**
 * A classifier that computes in workers: decoding and inference block their thread, and the one that answers HTTP must not
 * be blocked. A worker that dies or takes too long is replaced; the picture that it had is answered with an error.
 */

import { ClipEError } from "@clip-e/shared";
import type { Classification, Classifier, PictureEmbedding } from "../../classifier.ts";
import { planPredictions } from "../../plan.ts";
import type { Prediction } from "../../score.ts";
import { hasGpu } from "./choose_backends.ts";
import { Hand } from "./hand.ts";
import type { Job, WorkerSetup } from "./inference_worker.ts";

/** Options of {@link createWorkerPool}. */
export interface WorkerPoolOptions extends WorkerSetup {
  /** How many workers. By default one to each core. */
  readonly workers?: number;
  /** How long one picture may take, in milliseconds. By default 30 seconds. */
  readonly jobTimeout?: number;
  /** Hears of workers that were lost and could not be replaced. */
  readonly onError?: (error: unknown) => void;
}

/**
 * How long a worker that was ended takes to give its GPU back, in milliseconds. Nothing says when it has, and a process that
 * ends meanwhile may crash in the driver.
 */
const GPU_LEAVE = 250;

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
  const {
    workers = navigator.hardwareConcurrency,
    jobTimeout = 30_000,
    onError = () => {},
    // Each worker its share of the cores.
    threads = Math.max(1, Math.floor(navigator.hardwareConcurrency / workers)),
    ...rest
  } = options;
  const { backend = "auto" } = options;
  // Asked here, once: a process may crash that ends just after a worker that so much as looked for a GPU.
  const gpu = backend === "auto" ? await hasGpu() : backend.startsWith("webgpu");
  const leaveGpu = () => new Promise((resolve) => setTimeout(resolve, gpu ? GPU_LEAVE : 0));
  const setup = { ...rest, threads, gpu };
  const hands = new Set<Hand>();
  const idle: Hand[] = [];
  const waiting: Waiting[] = [];
  let starting = 0;
  let isClosed = false;

  const first = await Hand.start(setup, lose).catch(async (error) => {
    await leaveGpu();
    throw error;
  });
  // What any of them says of it last: a worker whose backend fails for good computes on another.
  let { model } = first;
  hire(first);
  // Whoever comes later serves the same bundle, or none.
  const pinned = { ...setup, digest: model.bundle };
  try {
    // Each by itself, so that when one fails, those that start after it are ended too.
    const others = Array.from({ length: workers - 1 }, async () => {
      hire(await Hand.start(pinned, lose));
    });
    await Promise.all(others);
  } catch (error) {
    await close();
    throw error;
  }

  function hire(hand: Hand): void {
    if (isClosed) return hand.end("internal", "The pool is closed");
    hands.add(hand);
    idle.push(hand);
    work();
  }

  function lose(hand: Hand): void {
    const place = idle.indexOf(hand);
    if (place >= 0) idle.splice(place, 1);
    if (hands.delete(hand)) void replace();
  }

  /** Starts hands until there are as many as wanted; when none can be had, nobody waits for ever. */
  async function replace(): Promise<void> {
    while (!isClosed && hands.size + starting < workers) {
      starting++;
      try {
        const hand = await Hand.start(pinned, lose);
        starting--;
        hire(hand);
      } catch (error) {
        starting--;
        onError(error);
        if (hands.size === 0) waiting.splice(0).forEach(({ reject }) => reject(error));
        return;
      }
    }
  }

  function run(job: Job): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (isClosed) return reject(new ClipEError("internal", "The classifier is closed"));
      waiting.push({ job, resolve, reject });
      work();
      void replace();
    });
  }

  /** Gives waiting jobs to idle hands. */
  function work(): void {
    while (idle.length > 0 && waiting.length > 0) {
      const hand = idle.pop();
      const next = waiting.shift();
      if (hand && next) void handOver(hand, next);
    }
  }

  async function handOver(hand: Hand, { job, resolve, reject }: Waiting): Promise<void> {
    const before = hand.model;
    try {
      resolve(await hand.do(job, jobTimeout));
    } catch (error) {
      reject(error);
    }
    if (hand.model !== before) model = hand.model;
    if (!hands.has(hand)) return;
    idle.push(hand);
    work();
  }

  async function close(): Promise<void> {
    isClosed = true;
    const closed = new ClipEError("internal", "The classifier was closed");
    waiting.splice(0).forEach(({ reject }) => reject(closed));
    for (const hand of hands) hand.end(closed.code, closed.message);
    await leaveGpu();
  }

  return {
    get model() {
      return model;
    },
    concurrency: workers,
    classify: async (picture, options = {}) => {
      planPredictions(model, options);
      return await run({ kind: "classify", input: picture, options }) as Classification;
    },
    embed: async (picture) => await run({ kind: "embed", input: picture }) as PictureEmbedding,
    score: async (embedding, options = {}) => {
      planPredictions(model, options);
      return await run({
        kind: "score",
        input: embedding.slice(),
        options,
      }) as readonly Prediction[];
    },
    close,
  };
}
