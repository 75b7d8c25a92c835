/**
 * The one place that starts ONNX Runtime: its WebAssembly backend, on one thread.
 */

import * as ort from "onnxruntime-web/wasm";

// More threads need a worker from a blob URL, which Deno refuses; parallelism comes from workers of our own.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/**
 * The web's `Worker`. Where a runtime has Node's modules too, as Deno does, ONNX Runtime puts Node's `Worker` in its place
 * when it starts, and whoever makes one afterwards waits for a message that never comes.
 */
const webWorker = Object.getOwnPropertyDescriptor(globalThis, "Worker");

/**
 * Opens a session.
 *
 * @param model ONNX bytes
 * @throws {Error} in a sentence, when ONNX Runtime refuses the model
 */
export async function openSession(model: Uint8Array): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`ONNX Runtime refuses it: ${why}`, { cause });
  } finally {
    if (webWorker) Object.defineProperty(globalThis, "Worker", webWorker);
  }
}
