/**
 * Which backends run the encoder on Deno: what the user chose, or what is there.
 */

import { UsageError } from "@clip-e/shared/command-line";
import type { Backend } from "../../backend/backend.ts";
import { findAdapter } from "../../backend/find_adapter.ts";
import { wasmBackend } from "../../backend/wasm.ts";
import { openCudaBackend } from "./cuda_backend.ts";
import { muteDesktop } from "./mute_desktop.ts";
import { type NativeBackendOptions, openNativeBackend } from "./native_backend.ts";
import { openWebGpu } from "./open_webgpu.ts";

/**
 * What a user may choose. `auto` is a GPU by WebGPU where there is one that is no software, then native where it is installed
 * and permitted, then WebAssembly; `webgpu-software` is WebGPU on whatever there is, for tests; CUDA is used only where it is
 * named.
 */
export type BackendChoice = "auto" | "native" | "wasm" | "webgpu" | "webgpu-software" | "cuda";

const CHOICES: readonly BackendChoice[] = [
  "auto",
  "native",
  "wasm",
  "webgpu",
  "webgpu-software",
  "cuda",
];

/** The option of commands that run the encoder. */
export const BACKEND_FLAG = {
  kind: "string",
  value: "NAME",
  default: "auto",
  env: "CLIP_E_BACKEND",
  help:
    "What runs the encoder: webgpu, native, wasm, cuda, or auto: the first of them that is there, but for cuda",
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

/** Options of {@link chooseBackends}. */
export interface BackendOptions extends NativeBackendOptions {
  /** Whether `auto` looks for a GPU; it does by default. */
  readonly gpu?: boolean;
}

/** Whether `auto` would find a GPU. */
export async function hasGpu(): Promise<boolean> {
  muteDesktop();
  return await findAdapter().then(() => true, () => false);
}

/**
 * Loads what was chosen.
 *
 * @param choice by name; in the place of a backend that was named no other is opened
 * @param options of the native one, and whether to look for a GPU
 * @returns best first
 * @throws {Error} in a sentence, when what was named cannot be had
 */
export async function chooseBackends(
  choice: BackendChoice = "auto",
  options: BackendOptions = {},
): Promise<Backend[]> {
  switch (choice) {
    case "wasm":
      return [wasmBackend];
    case "cuda":
      return [openCudaBackend()];
    case "native":
      return [openNativeBackend(options)];
    case "webgpu":
    case "webgpu-software":
      return [await openWebGpu(choice === "webgpu-software")];
  }
  const found: Backend[] = [];
  const { gpu = true } = options;
  for (const open of [...(gpu ? [() => openWebGpu()] : []), () => openNativeBackend(options)]) {
    try {
      found.push(await open());
    } catch {
      // What is not there is not missed.
    }
  }
  return [...found, wasmBackend];
}
