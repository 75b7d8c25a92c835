/**
 * What computes on Deno: machine code that runs the encoder and decodes pictures, or WebAssembly that does.
 */

import type { ClassifierOptions } from "../../classifier.ts";
import { type BackendChoice, chooseBackends } from "./choose_backends.ts";
import type { NativeBackendOptions } from "./native_backend.ts";
import { openNativeDecoder } from "./native_decoder.ts";

/**
 * Loads the backends that were chosen, and the native decoder together with a backend that is machine code.
 * Where the backend can be had and the decoder cannot, WebAssembly decodes: it gives the same bytes.
 *
 * @param choice by name
 * @param options of the native backend
 * @throws {Error} in a sentence, when what was named cannot be had
 */
export function chooseRuntime(
  choice: BackendChoice = "auto",
  options: NativeBackendOptions = {},
): Pick<ClassifierOptions, "backends" | "decode"> {
  const backends = chooseBackends(choice, options);
  if (backends.every(({ name }) => name === "wasm")) return { backends };
  try {
    return { backends, decode: openNativeDecoder() };
  } catch {
    return { backends };
  }
}
