/**
 * A classifier in Node, in the thread that makes it: the same as everywhere, with what is at hand there.
 */

import type { Backend } from "../../backend/backend.ts";
import { wasmBackend } from "../../backend/wasm.ts";
import {
  type Classifier,
  type ClassifierOptions,
  createClassifier as createPlainClassifier,
} from "../../classifier.ts";
import { openNativeBackend } from "./native_backend.ts";
import { packagedModules } from "./packaged_modules.ts";

/**
 * Opens a bundle and makes a classifier that computes in this thread, one picture after another.
 *
 * @param options the bundle, and limits; by default ONNX Runtime runs natively where `onnxruntime-node` is installed and in
 * WebAssembly otherwise, and the decoders' WebAssembly is read from their packages
 * @throws {ClipEError} `invalid-bundle`, when the bundle cannot be read, its manifest is not valid or no encoder proves itself
 *
 * @example
 * ```ts ignore
 * const classifier = await createClassifier({ bundle: folderSource("bundles/mine") });
 * const { predictions } = await classifier.classify(await readFile("photo.jpg"));
 * ```
 */
export async function createClassifier(options: ClassifierOptions): Promise<Classifier> {
  return await createPlainClassifier({
    backends: findBackends(),
    decoders: packagedModules,
    ...options,
  });
}

/** Best first. */
function findBackends(): Backend[] {
  try {
    return [openNativeBackend(), wasmBackend];
  } catch {
    return [wasmBackend];
  }
}
