/**
 * ONNX Runtime's native CPU backend, for servers: several times faster than WebAssembly.
 */

import type { Backend } from "../../backend/backend.ts";
import { cpuBackend } from "../../backend/native_session.ts";
import { loadOnnxRuntime } from "./onnx_runtime_node.ts";

/** Options of {@link openNativeBackend}. */
export interface NativeBackendOptions {
  /** Threads of one run; as many as there are cores by default. */
  readonly threads?: number;
}

/**
 * Loads `onnxruntime-node`, from the folder that `deno task native:install` fills or from the application's own
 * dependencies.
 *
 * @param options how many threads
 * @throws {ClipEError} in a sentence that says how to install or permit it
 */
export function openNativeBackend(options: NativeBackendOptions = {}): Backend {
  const { threads = navigator.hardwareConcurrency } = options;
  return cpuBackend(loadOnnxRuntime(), threads);
}
