/**
 * The edge on Deno: bundles from folders, inference in workers.
 *
 * @module
 */

export * from "../../mod.ts";
export { bundleSource } from "./bundle_source.ts";
export type { BackendChoice } from "./choose_backends.ts";
export { openCudaBackend } from "./cuda_backend.ts";
export { folderSource } from "./folder_source.ts";
export { type NativeBackendOptions, openNativeBackend } from "./native_backend.ts";
export { openNativeDecoder } from "./native_decoder.ts";
export { pageSource } from "./page_source.ts";
export { createWorkerPool, type WorkerPoolOptions } from "./worker_pool.ts";
export type { WorkerSetup } from "./inference_worker.ts";
