/**
 * ONNX Runtime on workerd, which refuses to compile WebAssembly from bytes. ONNX Runtime knows only bytes, so that while
 * it starts, its one compilation is answered with the module that the platform compiled.
 */

import * as ort from "onnxruntime-web/wasm";

/**
 * Runs something that starts ONNX Runtime.
 *
 * @param module `ort-wasm-simd-threaded.wasm`, compiled
 * @param start its first use, whole
 */
export async function withOrtModule<T>(
  module: WebAssembly.Module,
  start: () => Promise<T>,
): Promise<T> {
  const { instantiate } = WebAssembly;
  const answer = async (source: BufferSource | WebAssembly.Module, imports: WebAssembly.Imports) =>
    source instanceof WebAssembly.Module
      ? await instantiate(source, imports)
      : { module, instance: await instantiate(module, imports) };
  ort.env.wasm.wasmBinary = new Uint8Array([0]).buffer;
  WebAssembly.instantiate = answer as typeof instantiate;
  try {
    return await start();
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}
