/**
 * A classifier in this thread, be it a page's or its worker's: what computes is loaded with this module alone.
 */

import type { BundleSource } from "@clip-e/shared";
import { type Classifier, createClassifier } from "../../classifier.ts";
import type { FileProgress } from "../../http_source.ts";
import { type BackendChoice, chooseBackends } from "./choose_backends.ts";
import { wasmLoader } from "./load_wasm.ts";
import type { WasmName, WasmUrls } from "./wasm_files.ts";

/** How a bundle is opened, in plain values. */
export interface OpenSetup {
  /** The expected digest of the manifest. */
  readonly digest?: string;
  /** A larger picture is refused. */
  readonly maxPixels?: number;
  /** What runs the encoder; by default `auto`. */
  readonly backend?: BackendChoice;
  /** Where the WebAssembly is; by default beside the script that this module is bundled into. */
  readonly wasm?: WasmUrls;
}

/** Who is told what. */
export interface OpenHooks {
  /** Hears of every piece of WebAssembly. */
  readonly onProgress?: (progress: FileProgress) => void;
  /** Hears why WebAssembly computes in WebGPU's place. */
  readonly warn: (line: string) => void;
  /** Gives up, with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a bundle.
 *
 * @param bundle where its files are
 * @param setup how
 * @param hooks who is told
 * @throws {ClipEError} as `createClassifier` does, or `internal` when WebAssembly or the chosen backend cannot be had
 */
export async function openClassifier(
  bundle: BundleSource,
  setup: OpenSetup,
  { onProgress, warn, signal }: OpenHooks,
): Promise<Classifier> {
  const { backend = "auto", wasm, ...limits } = setup;
  const load = wasmLoader({ urls: wasm, onProgress, signal });
  const backends = await chooseBackends(backend, load, warn);
  const compile = async (name: WasmName) => await WebAssembly.compile(await load(name));
  const classifier = await createClassifier({
    ...limits,
    bundle,
    backends,
    warn,
    // Fetched with the first picture of their type.
    decoders: {
      jpeg: () => compile("jpeg"),
      png: () => compile("png"),
      webp: () => compile("webp"),
    },
  });
  const { encoder, faults } = classifier.model;
  const failed = faults.filter(({ part }) => part.startsWith("encoders/"));
  if (encoder.backend !== backends[0].name && failed.length > 0) {
    warn(`WebAssembly computes in WebGPU's place: ${failed.map((f) => f.detail).join("; ")}`);
  }
  if (signal?.aborted) await classifier.close();
  signal?.throwIfAborted();
  return classifier;
}
