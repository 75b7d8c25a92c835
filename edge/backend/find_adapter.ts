/**
 * The platform's WebGPU adapter, where it has one that is a GPU.
 */

import { ClipEError, isSoftwareAdapter, nameAdapter } from "@clip-e/shared";

/** Options of {@link findAdapter}. */
export interface FindAdapterOptions {
  /** Takes an adapter that computes on the CPU too, which is for tests alone. */
  readonly software?: boolean;
  /** The platform's WebGPU; by default `navigator.gpu`. */
  readonly gpu?: Pick<GPU, "requestAdapter">;
}

/**
 * Finds the adapter.
 *
 * @param options whether one will do that only pretends
 * @throws {ClipEError} `internal`, when there is none
 */
export async function findAdapter(options: FindAdapterOptions = {}): Promise<GPUAdapter> {
  // Absent from Deno without WebGPU, from browsers without it, and from pages that are not served securely.
  const { software = false, gpu = globalThis.navigator?.gpu } = options;
  const refuse = (why: string) => new ClipEError("internal", `Cannot use WebGPU: ${why}`);
  if (!gpu) throw refuse("this runtime has none");
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw refuse("there is no adapter");
  if (software || !isSoftwareAdapter(adapter.info)) return adapter;
  throw refuse(
    `the only adapter, ${nameAdapter(adapter.info)}, computes on the CPU, more slowly than ` +
      "WebAssembly. The backend webgpu-software takes it all the same",
  );
}
