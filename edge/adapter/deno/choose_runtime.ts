/**
 * What computes on Deno: a GPU or machine code that runs the encoder, with machine code that decodes pictures, or WebAssembly
 * that does both.
 */

import type { ClassifierOptions } from "../../classifier.ts";
import { type BackendChoice, type BackendOptions, chooseBackends } from "./choose_backends.ts";
import { openNativeDecoder } from "./native_decoder.ts";

/**
 * Loads the backends that were chosen, and the native decoder together with a backend that is faster than WebAssembly.
 * Where the backend can be had and the decoder cannot, WebAssembly decodes: it gives the same bytes.
 *
 * @param choice by name
 * @param options of the native backend, and whether to look for a GPU
 * @throws {Error} in a sentence, when what was named cannot be had
 */
export async function chooseRuntime(
  choice: BackendChoice = "auto",
  options: BackendOptions = {},
): Promise<Pick<ClassifierOptions, "backends" | "decode">> {
  const backends = await chooseBackends(choice, options);
  if (backends.every(({ name }) => name === "wasm")) return { backends };
  try {
    return { backends, decode: openNativeDecoder() };
  } catch {
    return { backends };
  }
}
