/**
 * The script of a worker that computes for a page: `new Worker(url, { type: "module" })` of this file, bundled.
 */

import type { BundleSource } from "@clip-e/shared";
import { type Classifier, createClassifier } from "../../classifier.ts";
import {
  type FileMessage,
  type Job,
  type OpenMessage,
  packError,
  type PageMessage,
  unpackError,
  type WorkerMessage,
} from "./messages.ts";
import { provideWasm } from "./wasm_files.ts";

/** The worker's global scope, of which the compiler's library for windows knows nothing. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<PageMessage>) => void;
  postMessage: (message: WorkerMessage) => void;
};

let classifier: Classifier | undefined;

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
    scope.postMessage(
      data.kind === "open"
        ? await open(data)
        : { kind: "result", id: data.id, result: await compute(data) },
    );
  } catch (error) {
    scope.postMessage({ kind: "failed", ...id, error: packError(error) });
  }
};

async function open({ location, wasm, digest, maxPixels }: OpenMessage): Promise<WorkerMessage> {
  classifier = await createClassifier({
    bundle: { read, ...(location !== undefined && { location }) },
    decoders: await provideWasm(wasm),
    ...(digest !== undefined && { digest }),
    ...(maxPixels !== undefined && { maxPixels }),
  });
  return { kind: "open", model: classifier.model };
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
