/**
 * ONNX Runtime's machine code in Node, where an application has installed `onnxruntime-node`: several times faster than
 * WebAssembly.
 */

import { ClipEError } from "@clip-e/shared";
import { createRequire } from "node:module";
import process from "node:process";
import type { Backend } from "../../backend/backend.ts";
import { cpuBackend, type OnnxRuntime } from "../../backend/native_session.ts";

/** Options of {@link openNativeBackend}. */
export interface NativeBackendOptions {
  /** Threads of one run; by default ONNX Runtime's choice, as many as there are cores. */
  readonly threads?: number;
}

/**
 * Loads `onnxruntime-node` of the application's own dependencies.
 *
 * @param options how many threads
 * @throws {ClipEError} `internal`, when it is not installed or does not load
 */
export function openNativeBackend(options: NativeBackendOptions = {}): Backend {
  const { threads = 0 } = options;
  return cpuBackend(loadOnnxRuntime(), threads);
}

/** From 1.29 on it tells its maker about models and runs, unless the environment says no before it starts: here it does. */
function loadOnnxRuntime(): OnnxRuntime {
  process.env.ORT_DISABLE_TELEMETRY = "1";
  try {
    return createRequire(import.meta.url)("onnxruntime-node");
  } catch (cause) {
    throw new ClipEError(
      "internal",
      `The native backend cannot be loaded: ${
        sentenceOf(cause)
      }. Install onnxruntime-node, or use WebAssembly`,
      { cause },
    );
  }
}

function sentenceOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
}
