/**
 * The WebAssembly files that a page serves: ONNX Runtime's, and one of each decoder. They are fetched and checked here, since
 * ONNX Runtime that failed once to fetch its own never starts again before the page is loaded anew.
 */

import { ClipEError } from "@clip-e/shared";
import * as ort from "onnxruntime-web/wasm";
import type { DecoderModules } from "../../decode/decoders.ts";
import type { PictureType } from "../../decode/picture_header.ts";
import { showUrl } from "../../http/show_url.ts";

/** A file that a page serves. */
export type WasmName = "ort" | PictureType;

/** What the files are called, in the packages that they come from and in a folder beside the script. */
export const WASM_FILES: Readonly<Record<WasmName, string>> = {
  ort: "ort-wasm-simd-threaded.wasm",
  jpeg: "mozjpeg_dec.wasm",
  png: "squoosh_png_bg.wasm",
  webp: "webp_dec.wasm",
};

/** Where the files are: the URL of a folder that has them under their own names, or the URL of each. */
export type WasmPaths = string | URL | Readonly<Record<WasmName, string | URL>>;

/** Absolute URLs, which mean the same in the page and its worker. */
export type WasmUrls = Readonly<Record<WasmName, string>>;

/**
 * Makes the files' URLs absolute.
 *
 * @param paths relative to the page
 */
export function resolveWasmPaths(paths: WasmPaths): WasmUrls {
  const absolute = (path: string | URL) => new URL(path, location.href).href;
  const isFolder = typeof paths === "string" || paths instanceof URL;
  const folder = isFolder && absolute(paths).replace(/\/?$/, "/");
  const resolve = (name: WasmName) =>
    isFolder ? `${folder}${WASM_FILES[name]}` : absolute(paths[name]);
  return { ort: resolve("ort"), jpeg: resolve("jpeg"), png: resolve("png"), webp: resolve("webp") };
}

/** Where the files are by default: beside the script. Written out, so that bundlers find them. */
function besideScript(): WasmUrls {
  return {
    ort: new URL("./ort-wasm-simd-threaded.wasm", import.meta.url).href,
    jpeg: new URL("./mozjpeg_dec.wasm", import.meta.url).href,
    png: new URL("./squoosh_png_bg.wasm", import.meta.url).href,
    webp: new URL("./webp_dec.wasm", import.meta.url).href,
  };
}

/**
 * Gives ONNX Runtime its file, and the decoders theirs, which are fetched with the first picture of their type.
 *
 * @param urls where they are; by default beside the script
 * @returns what `createClassifier` takes as `decoders`
 * @throws {ClipEError} `internal`, when ONNX Runtime's cannot be had
 */
export async function provideWasm(urls: WasmUrls = besideScript()): Promise<DecoderModules> {
  ort.env.wasm.wasmBinary = await fetchWasm(urls.ort);
  const compile = async (url: string) => await WebAssembly.compile(await fetchWasm(url));
  return {
    jpeg: () => compile(urls.jpeg),
    png: () => compile(urls.png),
    webp: () => compile(urls.webp),
  };
}

async function fetchWasm(url: string): Promise<ArrayBuffer> {
  const refuse = (why: string, cause?: unknown) =>
    new ClipEError(
      "internal",
      `Cannot load ${
        showUrl(new URL(url))
      }: ${why}. Serve the file there, or say by wasmPaths where it is`,
      { cause },
    );
  const response = await fetch(url).catch((cause) => {
    throw refuse("it cannot be fetched", cause);
  });
  if (!response.ok) throw refuse(`the server answered ${response.status}`);
  const bytes = await response.arrayBuffer().catch((cause) => {
    throw refuse("it broke off", cause);
  });
  const magic = String.fromCharCode(...new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength)));
  // Many hosts answer a page where there is no file.
  if (magic !== "\0asm") throw refuse("what is there is no WebAssembly");
  return bytes;
}
