/**
 * Fetches WebAssembly for a page. What comes is checked here, since ONNX Runtime that failed once to fetch its own file never
 * starts again before the page is loaded anew.
 */

import { ClipEError } from "@clip-e/shared";
import { showUrl } from "../../http/show_url.ts";
import type { FileProgress } from "../../http_source.ts";
import { besideScript, WASM_FILES, type WasmName, type WasmUrls } from "./wasm_files.ts";

/** Options of {@link wasmLoader}. */
export interface WasmLoaderOptions {
  /** Where the files are; by default beside the script. */
  readonly urls?: WasmUrls | undefined;
  /** Hears of every piece that comes. */
  readonly onProgress?: ((progress: FileProgress) => void) | undefined;
  /** Gives up, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches a file.
 *
 * @throws {ClipEError} `internal`, when it cannot be had
 */
export type LoadWasm = (name: WasmName) => Promise<ArrayBuffer>;

/**
 * Makes what fetches a page's WebAssembly.
 *
 * @param options where it is, and who hears of it
 */
export function wasmLoader(options: WasmLoaderOptions = {}): LoadWasm {
  const { urls = besideScript(), onProgress = () => {}, signal } = options;
  return async (name) => {
    const path = WASM_FILES[name];
    const url = urls[name];
    if (url === undefined) {
      throw new ClipEError("internal", `Cannot load ${path}: wasmPaths says nothing of ${name}`);
    }
    const fail = (why: string, mend: string, cause?: unknown) => {
      const place = showUrl(new URL(url));
      return new ClipEError("internal", `Cannot load ${place}: ${why}. ${mend}`, { cause });
    };
    const refuse = (why: string) =>
      fail(why, "Serve the file there, or say by wasmPaths where it is");
    const interrupt = (why: string, cause: unknown) =>
      fail(why, "Check the connection, then try again", cause);
    const response = await fetch(url, { signal: signal ?? null }).catch((cause) => {
      throw interrupt("it cannot be fetched", cause);
    });
    if (!response.ok) throw refuse(`the server answered ${response.status}`);
    const report = (bytes: number, total = plainLength(response)) =>
      onProgress({ path, bytes, ...(total !== undefined && { total }), isCached: false });
    const file = await readBody(response, report).catch((cause) => {
      throw interrupt("the download broke off", cause);
    });
    // Many hosts answer a page where there is no file.
    if (!isWasm(file)) throw refuse("what is there is no WebAssembly");
    return file;
  };
}

/** Reads an answer's body, and tells at each piece how many bytes have come. */
async function readBody(
  { body }: Response,
  report: (bytes: number) => void,
): Promise<ArrayBuffer> {
  let bytes = 0;
  const counted = body?.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        report(bytes += piece.length);
        controller.enqueue(piece);
      },
    }),
  );
  return await new Response(counted).arrayBuffer();
}

/**
 * The file's length by its header, which counts other bytes where they are compressed; whether they are is hidden from a page
 * of another origin.
 */
function plainLength({ headers, type }: Response): number | undefined {
  const length = headers.get("Content-Length");
  const isHidden = type === "cors" || headers.has("Content-Encoding");
  return length === null || isHidden ? undefined : Number(length);
}

function isWasm(file: ArrayBuffer): boolean {
  return String.fromCharCode(...new Uint8Array(file.slice(0, 4))) === "\0asm";
}
