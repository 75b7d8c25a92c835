/**
 * A classifier that computes in a page's worker, so that the page stays alive meanwhile.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import type { Classification, Classifier, PictureEmbedding } from "../../classifier.ts";
import { abortable } from "../../http/abortable.ts";
import type { ModelInfo } from "../../model_info.ts";
import { planPredictions } from "../../plan.ts";
import type { Prediction } from "../../score.ts";
import {
  type FileMessage,
  type Job,
  packError,
  type PageMessage,
  unpackError,
  type WorkerMessage,
} from "./messages.ts";
import type { OpenHooks, OpenSetup } from "./open_classifier.ts";

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a bundle in a worker, which from now on belongs to the classifier.
 *
 * @param worker that runs `worker.ts`
 * @param source where the bundle's files are; it is read in this thread
 * @param setup how to open it
 * @param hooks who is told
 * @throws {ClipEError} as `createClassifier` does, or `internal` when the worker does not start
 */
export async function openInWorker(
  worker: Worker,
  source: BundleSource,
  setup: OpenSetup,
  { onProgress, warn, signal = new AbortController().signal }: OpenHooks,
): Promise<Classifier> {
  const jobs = new Map<number, Waiting>();
  let opening: Waiting | undefined;
  // What the worker says of it last: it computes on another backend where the first fails for good.
  let model: ModelInfo;
  let lost: ClipEError | undefined;
  let count = 0;
  const post = (message: PageMessage, ...buffers: ArrayBuffer[]) =>
    worker.postMessage(message, buffers);

  worker.onmessage = async ({ data }: MessageEvent<WorkerMessage>) => {
    switch (data.kind) {
      case "read": {
        const file = await readFile(source, data.id, data.path);
        return post(file, ...(file.bytes ? [file.bytes.buffer] : []));
      }
      case "progress":
        return onProgress?.(data.progress);
      case "warn":
        return warn(data.line);
      case "model":
        model = data.model;
        return opening?.resolve(undefined);
      case "result":
        return takeJob(data.id)?.resolve(data.result);
      case "failed": {
        const waiting = data.id === undefined ? opening : takeJob(data.id);
        return waiting?.reject(unpackError(data.error));
      }
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    const why = event.message ? `: ${event.message}` : ": is its script where it should be?";
    end(new ClipEError("internal", `The worker that computes failed${why}`));
  };

  function takeJob(id: number): Waiting | undefined {
    const waiting = jobs.get(id);
    jobs.delete(id);
    return waiting;
  }

  function end(why: ClipEError): void {
    lost ??= why;
    worker.terminate();
    opening?.reject(lost);
    for (const id of [...jobs.keys()]) takeJob(id)?.reject(lost);
  }

  function run(job: Job): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (lost) return reject(lost);
      const id = count++;
      jobs.set(id, { resolve, reject });
      post({ ...job, id }, job.input.buffer);
    });
  }

  try {
    const opened = new Promise<unknown>((resolve, reject) => {
      opening = { resolve, reject };
      post({ kind: "open", location: source.location, ...setup });
    });
    await abortable(opened, signal);
  } catch (error) {
    worker.terminate();
    throw error;
  }

  return {
    get model() {
      return model;
    },
    concurrency: 1,
    classify: async (picture, options = {}) => {
      planPredictions(model, options);
      return await run({ kind: "classify", input: picture, options }) as Classification;
    },
    embed: async (picture) => await run({ kind: "embed", input: picture }) as PictureEmbedding,
    score: async (embedding, options = {}) => {
      planPredictions(model, options);
      const input = embedding.slice();
      return await run({ kind: "score", input, options }) as readonly Prediction[];
    },
    close: () => Promise.resolve(end(new ClipEError("internal", "The classifier was closed"))),
  };
}

/** Reads a file for the worker; bytes that are a part of something larger are copied, to be handed over alone. */
async function readFile(source: BundleSource, id: number, path: string): Promise<FileMessage> {
  try {
    const bytes = await source.read(path);
    const isPart = bytes && bytes.byteLength !== bytes.buffer.byteLength;
    return { kind: "file", id, bytes: isPart ? bytes.slice() : bytes };
  } catch (error) {
    return { kind: "file", id, error: packError(error) };
  }
}
