/**
 * A worker that computes: it opens the bundle once, then answers the pool's jobs one after another.
 */

import "./without_location.ts";
import { ClipEError, type ErrorCode } from "@clip-e/shared";
import { type Classifier, createClassifier } from "../../classifier.ts";
import type { ModelInfo } from "../../model_info.ts";
import type { ClassifyOptions } from "../../plan.ts";
import { bundleSource } from "./bundle_source.ts";
import type { BackendChoice } from "./choose_backends.ts";
import { chooseRuntime } from "./choose_runtime.ts";

/** What the pool sends first. */
export interface WorkerSetup {
  /** A folder's path, or an `http:` or `https:` URL. */
  readonly bundle: string;
  /** The expected digest of the manifest. */
  readonly digest?: string;
  /** A larger picture is refused. */
  readonly maxPixels?: number;
  /** What runs the encoder; by default `auto`. */
  readonly backend?: BackendChoice;
  /** Threads of one run on the native backend. By default, each worker has its share of the cores. */
  readonly threads?: number;
  /** Whether `auto` looks for a GPU; the pool has looked before. */
  readonly gpu?: boolean;
}

/** Something to compute, whose bytes are handed over. */
export type Job =
  | {
    readonly kind: "classify";
    readonly input: Uint8Array<ArrayBuffer>;
    readonly options: ClassifyOptions;
  }
  | { readonly kind: "embed"; readonly input: Uint8Array<ArrayBuffer> }
  | {
    readonly kind: "score";
    readonly input: Float32Array<ArrayBuffer>;
    readonly options: ClassifyOptions;
  };

/** What the worker answers: once that it is ready, then once to each job, and with it what changed about the model. */
export type WorkerAnswer =
  | { readonly model: ModelInfo }
  | { readonly result: unknown; readonly changed?: ModelInfo }
  | { readonly error: { readonly code?: ErrorCode; readonly message: string } };

/** The worker's global scope, of which the compiler's library for windows knows nothing. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WorkerSetup | Job>) => void;
  postMessage: (answer: WorkerAnswer) => void;
};

let classifier: Classifier | undefined;
/** The model, as the pool knows it. */
let told: ModelInfo | undefined;

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage("bundle" in data ? await open(data) : await compute(data));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({
      error: { message, ...(error instanceof ClipEError && { code: error.code }) },
    });
  }
};

async function open(setup: WorkerSetup): Promise<WorkerAnswer> {
  const { bundle, backend, threads, gpu = true, ...checked } = setup;
  classifier = await createClassifier({
    ...checked,
    bundle: bundleSource(bundle, setup.digest),
    ...await chooseRuntime(backend, { gpu, ...(threads !== undefined && { threads }) }),
  });
  told = classifier.model;
  return { model: told };
}

async function compute(job: Job): Promise<WorkerAnswer> {
  if (!classifier) throw new Error("The worker has no bundle yet");
  const result = await answer(classifier, job);
  if (classifier.model === told) return { result };
  told = classifier.model;
  return { result, changed: told };
}

async function answer(classifier: Classifier, job: Job): Promise<unknown> {
  switch (job.kind) {
    case "classify":
      return await classifier.classify(job.input, job.options);
    case "embed":
      return await classifier.embed(job.input);
    case "score":
      return await classifier.score(job.input, job.options);
  }
}
