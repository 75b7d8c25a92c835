/**
 * Which backends run the encoder on Deno: what the user chose, or what is there.
 */

import { UsageError } from "@clip-e/shared/command-line";
import type { Backend } from "../../backend/backend.ts";
import { wasmBackend } from "../../backend/wasm.ts";
import { openCudaBackend } from "./cuda_backend.ts";
import { type NativeBackendOptions, openNativeBackend } from "./native_backend.ts";

/**
 * What a user may choose: `auto` is native where it is installed and permitted, and WebAssembly otherwise. A graphics card is
 * used only where it is named.
 */
export type BackendChoice = "auto" | "native" | "wasm" | "cuda";

const CHOICES: readonly BackendChoice[] = ["auto", "native", "wasm", "cuda"];

/** The option of commands that run the encoder. */
export const BACKEND_FLAG = {
  kind: "string",
  value: "NAME",
  default: "auto",
  env: "CLIP_E_BACKEND",
  help: "What runs the encoder: native, wasm, cuda, or auto: native where it is installed",
} as const;

/**
 * Reads the option's value.
 *
 * @param name as the user gave it
 * @throws {UsageError} when there is no such backend
 */
export function readBackendChoice(name: string): BackendChoice {
  const choice = CHOICES.find((known) => known === name);
  if (choice) return choice;
  throw new UsageError(`--backend must be ${CHOICES.join(", ")}, got ${JSON.stringify(name)}`);
}

/**
 * Loads what was chosen.
 *
 * @param choice by name; a backend that was named is never replaced by another
 * @param options of the native one
 * @returns best first
 * @throws {Error} in a sentence, when what was named cannot be had
 */
export function chooseBackends(
  choice: BackendChoice = "auto",
  options: NativeBackendOptions = {},
): Backend[] {
  if (choice === "wasm") return [wasmBackend];
  if (choice === "cuda") return [openCudaBackend()];
  if (choice === "native") return [openNativeBackend(options)];
  try {
    return [openNativeBackend(options), wasmBackend];
  } catch {
    return [wasmBackend];
  }
}
