/**
 * ONNX Runtime's WebAssembly backend, on one thread: the one that runs everywhere.
 */

import * as ort from "onnxruntime-web/wasm";
import { createQueue } from "../queue.ts";
import type { Backend } from "./backend.ts";
import { makeFeeds } from "./feeds.ts";
import { keepWebWorker } from "./keep_web_worker.ts";

// More threads need a worker from a blob URL, which Deno refuses; parallelism comes from workers of our own.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/**
 * All sessions share one WebAssembly instance and its stack, which a run gives back as it found it: two that overlap, of the
 * same model or not, would write over each other.
 */
const inTurn = createQueue();

let load: (() => Promise<ArrayBuffer>) | undefined;

/**
 * Says where ONNX Runtime's `ort-wasm-simd-threaded.wasm` comes from, for pages; by default it is read from beside its script.
 *
 * @param from is called when a model is opened, until it succeeded
 */
export function loadOrtWasm(from: () => Promise<ArrayBuffer>): void {
  load = from;
}

/** The backend, whose runs never overlap. */
export const wasmBackend: Backend = {
  name: "wasm",
  async open(model, externalData = []) {
    const session = await inTurn(() =>
      create(model, externalData.map(({ path, bytes }) => ({ path, data: bytes })))
    );
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      run: async (inputs, output) => {
        const feeds = makeFeeds(ort.Tensor, inputs);
        return (await inTurn(() => session.run(feeds, [output])))[output];
      },
      close: () => inTurn(() => session.release()),
    };
  },
};

async function create(
  model: Uint8Array,
  externalData: { readonly path: string; readonly data: Uint8Array }[],
): Promise<ort.InferenceSession> {
  if (load) ort.env.wasm.wasmBinary = await load();
  load = undefined;
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      ...(externalData.length > 0 && { externalData }),
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`ONNX Runtime refuses it: ${why}`, { cause });
  } finally {
    keepWebWorker();
  }
}
