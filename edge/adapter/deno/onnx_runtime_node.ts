/**
 * ONNX Runtime's machine code, as the package `onnxruntime-node` has it. It is 290 MB on disk and no sandbox holds it, so that
 * it is there only where somebody installed it (`deno task native:install`) and runs only where foreign functions are permitted
 * (`--allow-ffi`).
 */

import { ClipEError } from "@clip-e/shared";
import { createRequire } from "node:module";
import type { OnnxRuntime } from "../../backend/native_session.ts";

/** Finds the package in the folder that `deno task native:install` fills, or in the application's own dependencies. */
export const requireNative = createRequire(new URL("./native/deno.json", import.meta.url));

/** The setting by which the package keeps to itself. */
const SILENCE = "ORT_DISABLE_TELEMETRY";

/**
 * Loads the package. From 1.29 on it tells its maker about models and runs, past every permission of Deno's, and keeps an id
 * of the machine in the user's folder, unless the environment says no before it starts: here it always does.
 *
 * @throws {ClipEError} in a sentence that says how to install or permit it
 */
export function loadOnnxRuntime(): OnnxRuntime {
  try {
    // Once: the environment is the process's, and other workers may be reading it.
    if (Deno.env.get(SILENCE) !== "1") Deno.env.set(SILENCE, "1");
    return requireNative("onnxruntime-node");
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable && cause.message.includes(SILENCE)) {
      throw new ClipEError(
        "internal",
        "The native backend would send usage data to its maker, and may not be told not to: " +
          `permit that with --allow-env=${SILENCE}, or choose --backend wasm`,
        { cause },
      );
    }
    // Looking for a package that is not there ends above the folders that may be read.
    if (cause instanceof Deno.errors.NotCapable && cause.message.includes("ffi")) {
      throw new ClipEError(
        "internal",
        "The native backend may not be loaded: permit it with --allow-ffi, or choose --backend wasm",
        { cause },
      );
    }
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new ClipEError(
      "internal",
      `The native backend cannot be loaded: ${why}. Install it with deno task native:install, or choose --backend wasm`,
      { cause },
    );
  }
}
