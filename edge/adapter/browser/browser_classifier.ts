/**
 * A classifier in a web page: in the page's own thread, or better in a worker.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import type { Classifier } from "../../classifier.ts";
import { type FileProgress, httpSource } from "../../http_source.ts";
import type { BackendChoice } from "./choose_backends.ts";
import { resolveWasmPaths, type WasmPaths } from "./wasm_files.ts";
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
  /** Where the WebAssembly is. By default beside the script that the worker, or else this module, is bundled into. */
  readonly wasmPaths?: WasmPaths;
  /**
   * Where to compute: the URL of `@clip-e/edge/browser-worker`, bundled, of the page's origin; or a module worker that runs
   * it, which the classifier takes over, and ends when it is closed. By default the page's own thread, which stands still
   * while a picture is computed.
   */
  readonly worker?: Worker | string | URL;
  /** What runs the encoder; by default `auto`: a GPU where there is one, else WebAssembly. */
  readonly backend?: BackendChoice;
  /** Sent with every request for a bundle's URL, such as `Authorization`. */
  readonly headers?: HeadersInit;
  /** A larger picture is refused by its header. By default 50 million. */
  readonly maxPixels?: number;
  /** Hears of every piece that comes of the bundle's files from a URL, and of WebAssembly. */
  readonly onProgress?: (progress: FileProgress) => void;
  /** Hears why WebAssembly computes in the place of a GPU. By default the console's log does. */
  readonly warn?: (line: string) => void;
  /** Gives up opening, with its reason; the worker is ended. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a bundle in a page.
 *
 * @param options the bundle, and where to compute
 * @throws {ClipEError} `invalid-bundle`, when the bundle cannot be read, is not valid or no encoder proves itself; `internal`,
 * when WebAssembly, the backend that was named or the worker cannot be had, or the page is not secure
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
  const { bundle, worker, wasmPaths, digest, maxPixels, backend, signal } = options;
  const { onProgress, headers, warn = console.warn } = options;
  if (!("subtle" in crypto)) {
    throw new ClipEError(
      "internal",
      "Cannot check a bundle in this page, since browsers hash only where it is secure: serve it over https, or on localhost",
    );
  }
  const setup = {
    ...(digest !== undefined && { digest }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(backend !== undefined && { backend }),
    ...(wasmPaths !== undefined && { wasm: resolveWasmPaths(wasmPaths) }),
  };
  /** The caller's signal may also end what comes later, which is not to end what is read then. */
  const opening = new AbortController();
  const giveUp = () => opening.abort(signal?.reason);
  signal?.addEventListener("abort", giveUp);
  if (signal?.aborted) giveUp();
  const hooks = { warn, signal: opening.signal, ...(onProgress && { onProgress }) };
  const source = typeof bundle === "string" || bundle instanceof URL
    ? httpSource(bundle, {
      cache: "default",
      signal: opening.signal,
      ...(digest !== undefined && { digest }),
      ...(headers && { headers }),
      ...(onProgress && { onProgress }),
    })
    : bundle;
  try {
    if (worker === undefined) {
      const { openClassifier } = await import("./open_classifier.ts");
      return await openClassifier(source, setup, hooks);
    }
    const own = worker instanceof Worker ? worker : new Worker(worker, { type: "module" });
    return await openInWorker(own, source, setup, hooks);
  } catch (error) {
    // Nobody waits for what is still on its way.
    giveUp();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}
