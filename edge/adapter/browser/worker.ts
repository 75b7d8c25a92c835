/**
 * The script of a worker that computes for a page: `new Worker(url, { type: "module" })` of this file, bundled.
 */

import type { BundleSource } from "@clip-e/shared";
import type { Classifier } from "../../classifier.ts";
import type { ModelInfo } from "../../model_info.ts";
import {
  type FileMessage,
  type Job,
  type OpenMessage,
  packError,
  type PageMessage,
  unpackError,
  type WorkerMessage,
} from "./messages.ts";
import { openClassifier } from "./open_classifier.ts";

/** The worker's global scope, of which the compiler's library for windows knows nothing. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<PageMessage>) => void;
  postMessage: (message: WorkerMessage) => void;
};

let classifier: Classifier | undefined;
/** The model, as the page knows it. */
let told: ModelInfo | undefined;

/** Files that the page was asked for. */
const asked: ((file: FileMessage) => void)[] = [];

/** Asks the page for a file. */
function read(path: string): ReturnType<BundleSource["read"]> {
  return new Promise((resolve, reject) => {
    const count = asked.push(({ bytes, error }) =>
      error ? reject(unpackError(error)) : resolve(bytes)
    );
    scope.postMessage({ kind: "read", id: count - 1, path });
  });
}

scope.onmessage = async ({ data }) => {
  if (data.kind === "file") return asked[data.id](data);
  const id = data.kind === "open" ? {} : { id: data.id };
  try {
    if (data.kind === "open") return await open(data);
    const result = await compute(data);
    tellModel();
    scope.postMessage({ kind: "result", id: data.id, result });
  } catch (error) {
    tellModel();
    scope.postMessage({ kind: "failed", ...id, error: packError(error) });
  }
};

async function open({ kind: _, location, ...setup }: OpenMessage): Promise<void> {
  const bundle = { read, ...(location !== undefined && { location }) };
  classifier = await openClassifier(bundle, setup, {
    onProgress: (progress) => scope.postMessage({ kind: "progress", progress }),
    warn: (line) => scope.postMessage({ kind: "warn", line }),
  });
  tellModel();
}

/** Tells the page what serves, where it does not know. */
function tellModel(): void {
  if (!classifier || classifier.model === told) return;
  told = classifier.model;
  scope.postMessage({ kind: "model", model: told });
}

async function compute(job: Job): Promise<unknown> {
  if (!classifier) throw new Error("The worker has no bundle yet");
  switch (job.kind) {
    case "classify":
      return await classifier.classify(job.input, job.options);
    case "embed":
      return await classifier.embed(job.input);
    case "score":
      return await classifier.score(job.input, job.options);
  }
}
