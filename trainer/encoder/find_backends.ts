/**
 * What can run encoders on this machine.
 */

import { type Backend, wasmBackend } from "@clip-e/edge/encoder";
import { openNativeBackend } from "@clip-e/edge/native";

/** Native where it is installed and permitted, which is the fastest, and WebAssembly. */
export function findBackends(): Backend[] {
  try {
    return [openNativeBackend(), wasmBackend];
  } catch {
    return [wasmBackend];
  }
}
