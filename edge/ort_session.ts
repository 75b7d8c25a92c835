/**
 * The one place that starts ONNX Runtime: its WebAssembly backend, on one thread.
 */

import * as ort from "onnxruntime-web/wasm";
import { createQueue } from "./queue.ts";

// More threads need a worker from a blob URL, which Deno refuses; parallelism comes from workers of our own.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/**
 * The web's `Worker`. Where a runtime has Node's modules too, as Deno does, ONNX Runtime puts Node's `Worker` in its place
 * when it starts, and whoever makes one afterwards waits for a message that never comes.
 */
const webWorker = Object.getOwnPropertyDescriptor(globalThis, "Worker");

/** A session whose runs never overlap. */
export interface Session {
  /** Of the model. */
  readonly inputNames: readonly string[];
  /** Of the model. */
  readonly outputNames: readonly string[];
  /** Runs the model and gives one of its outputs. */
  run(inputs: Readonly<Record<string, ort.Tensor>>, output: string): Promise<ort.Tensor>;
  /** Frees the session. */
  close(): Promise<void>;
}

/**
 * All sessions share one WebAssembly instance and its stack, which a run gives back as it found it: two that overlap, of the
 * same model or not, would write over each other.
 */
const inTurn = createQueue();

/**
 * Opens a session.
 *
 * @param model ONNX bytes
 * @throws {Error} in a sentence, when ONNX Runtime refuses the model
 */
export async function openSession(model: Uint8Array): Promise<Session> {
  const session = await inTurn(() => create(model));
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    run: async (inputs, output) => (await inTurn(() => session.run(inputs, [output])))[output],
    close: () => inTurn(() => session.release()),
  };
}

async function create(model: Uint8Array): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`ONNX Runtime refuses it: ${why}`, { cause });
  } finally {
    if (webWorker) Object.defineProperty(globalThis, "Worker", webWorker);
  }
}
