/**
 * The classifier of a server: in workers, or in this thread where the runtime has none.
 */

import { type Classifier, createClassifier } from "../../classifier.ts";
import { bundleSource } from "./bundle_source.ts";
import { chooseRuntime } from "./choose_runtime.ts";
import { createWorkerPool, type WorkerPoolOptions } from "./worker_pool.ts";

/** Asked before ONNX Runtime starts, which may put Node's `Worker` in the place of one that is not there. */
const hasWorkers = typeof Worker !== "undefined";

/**
 * Opens a bundle.
 *
 * @param options of a pool of workers; without workers, pictures are computed one after another, and requests wait meanwhile
 * @throws {ClipEError} `invalid-bundle`, as `createClassifier` does
 */
export async function openClassifier(options: WorkerPoolOptions): Promise<Classifier> {
  if (hasWorkers) return await createWorkerPool(options);
  const { bundle, backend, digest, maxPixels } = options;
  return await createClassifier({
    bundle: bundleSource(bundle, digest),
    ...(digest !== undefined && { digest }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...await chooseRuntime(backend),
  });
}
