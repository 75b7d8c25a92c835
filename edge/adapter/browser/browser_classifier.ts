/**
 * A classifier in a web page: in the page's own thread, or better in a worker.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import { type Classifier, createClassifier } from "../../classifier.ts";
import { type FileProgress, httpSource } from "../../http_source.ts";
import { provideWasm, resolveWasmPaths, type WasmPaths } from "./wasm_files.ts";
import { openInWorker } from "./worker_classifier.ts";

/** Options of {@link createBrowserClassifier}. */
export interface BrowserClassifierOptions {
  /**
   * Where the bundle's files are: the URL of its folder, relative to the page or of another origin that allows it by CORS,
   * or a source. Files that a URL leads to are kept in the browser's cache storage, by their hash.
   */
  readonly bundle: BundleSource | string | URL;
  /** The expected digest of the bundle's manifest, `sha256:...`; another is refused. A pinned bundle opens offline too. */
  readonly digest?: string;
  /** Where the WebAssembly is. By default beside the script that this module, or the worker, is bundled into. */
  readonly wasmPaths?: WasmPaths;
  /**
   * Where to compute: the URL of `@clip-e/edge/browser-worker` as one script, of the page's origin; or a module worker that
   * runs it, which the classifier takes over, and ends when it is closed. By default the page's own thread, which stands
   * still while a picture is computed.
   */
  readonly worker?: Worker | string | URL;
  /** A larger picture is refused by its header. By default 50 million. */
  readonly maxPixels?: number;
  /** Hears of every piece of the bundle that comes from a URL. */
  readonly onProgress?: (progress: FileProgress) => void;
  /** Gives up opening the bundle from a URL, with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a bundle in a page.
 *
 * @param options the bundle, and where to compute
 * @throws {ClipEError} `invalid-bundle`, when the bundle cannot be read, is not valid or no encoder proves itself; `internal`,
 * when WebAssembly or the worker cannot be had, or the page is not secure
 *
 * @example
 * ```ts ignore
 * const classifier = await createBrowserClassifier({
 *   bundle: "/models/clip-e/",
 *   worker: "/clip-e/browser_worker.js",
 * });
 * const file = document.querySelector("input").files[0];
 * const { predictions } = await classifier.classify(new Uint8Array(await file.arrayBuffer()));
 * ```
 */
export async function createBrowserClassifier(
  options: BrowserClassifierOptions,
): Promise<Classifier> {
  const { bundle, wasmPaths, worker, digest, maxPixels, onProgress, signal } = options;
  if (!("subtle" in crypto)) {
    throw new ClipEError(
      "internal",
      "Cannot check a bundle in this page, since browsers hash only where it is secure: serve it over https, or on localhost",
    );
  }
  const limits = {
    ...(digest !== undefined && { digest }),
    ...(maxPixels !== undefined && { maxPixels }),
  };
  const source = typeof bundle === "string" || bundle instanceof URL
    ? httpSource(bundle, {
      cache: "default",
      ...(digest !== undefined && { digest }),
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    })
    : bundle;
  const wasm = wasmPaths === undefined ? {} : { wasm: resolveWasmPaths(wasmPaths) };
  try {
    if (worker === undefined) {
      const decoders = await provideWasm(wasm.wasm);
      return await createClassifier({ ...limits, bundle: source, decoders });
    }
    const own = worker instanceof Worker ? worker : new Worker(worker, { type: "module" });
    return await openInWorker(own, source, { ...limits, ...wasm });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
