/**
 * Which backends run the encoder in a page: what the app chose, or what is there. Nothing is loaded of one that is not used.
 */

import type { Backend } from "../../backend/backend.ts";
import { findAdapter } from "../../backend/find_adapter.ts";
import { gpuPrecisions } from "../../backend/gpu_precisions.ts";
import { loadOrtWasm, wasmBackend } from "../../backend/wasm.ts";
import type { LoadWasm } from "./load_wasm.ts";

/**
 * What an app may choose. `auto` is a GPU by WebGPU where there is one that is no software and the bundle has an encoder for
 * it, then WebAssembly; `webgpu-software` is WebGPU on whatever there is, for tests. WebAssembly takes over where WebGPU fails
 * for good while it serves.
 */
export type BackendChoice = "auto" | "wasm" | "webgpu" | "webgpu-software";

/**
 * Finds what was chosen.
 *
 * @param choice by name; in the place of a backend that was named no other is opened
 * @param load fetches ONNX Runtime
 * @param warn hears why there is no GPU for `auto`
 * @returns best first
 * @throws {ClipEError} `internal`, when what was named, or WebAssembly, cannot be had
 */
export async function chooseBackends(
  choice: BackendChoice,
  load: LoadWasm,
  warn: (line: string) => void,
): Promise<readonly Backend[]> {
  if (choice !== "wasm") {
    // For what is opened later: texts' encoders, and what takes over.
    loadOrtWasm(() => load("ort"));
    try {
      const webgpu = await findWebGpu(choice === "webgpu-software", load);
      if (choice === "auto") return [webgpu.backend, wasmBackend];
      await webgpu.load();
      return [webgpu.backend];
    } catch (error) {
      if (choice !== "auto") throw error;
      const why = error instanceof Error ? error.message : String(error);
      warn(`${why}. WebAssembly computes in its place`);
    }
  }
  const file = await load("ort");
  loadOrtWasm(() => Promise.resolve(file));
  return [wasmBackend];
}

/** WebGPU, which is loaded for the first model that is opened on it. */
async function findWebGpu(
  software: boolean,
  loadWasm: LoadWasm,
): Promise<{ readonly backend: Backend; load(): Promise<Backend> }> {
  const adapter = await findAdapter({ software });
  let loading: Promise<Backend> | undefined;
  const load = () => loading ??= openWebGpu(adapter, loadWasm);
  return {
    load,
    backend: {
      name: "webgpu",
      precisions: gpuPrecisions(adapter),
      needsProof: true,
      open: async (model, externalData) => (await load()).open(model, externalData),
    },
  };
}

async function openWebGpu(adapter: GPUAdapter, load: LoadWasm): Promise<Backend> {
  const [{ openWebGpuBackend }, file] = await Promise.all([
    import("../../backend/webgpu.ts"),
    load("webgpu"),
  ]);
  return await openWebGpuBackend(adapter, { wasmBinary: new Uint8Array(file) });
}
