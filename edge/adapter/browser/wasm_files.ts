/**
 * Where a page's WebAssembly is.
 */

import { WASM_FILES, type WasmName } from "../../wasm_files.ts";

export { WASM_FILES, type WasmName };

/** Where each file is; without `webgpu`, WebGPU is not used. */
export type WasmPlaces<T> =
  & Readonly<Record<Exclude<WasmName, "webgpu">, T>>
  & { readonly webgpu?: T };

/**
 * Where the files are: the URL of a folder that has them under their own names, or the URL of each.
 */
export type WasmPaths = string | URL | WasmPlaces<string | URL>;

/** Absolute URLs, which mean the same in the page and its worker. */
export type WasmUrls = WasmPlaces<string>;

/**
 * Makes the files' URLs absolute.
 *
 * @param paths relative to the page
 */
export function resolveWasmPaths(paths: WasmPaths): WasmUrls {
  const isFolder = typeof paths === "string" || paths instanceof URL;
  const base = isFolder ? String(paths).replace(/\/?$/, "/") : "";
  const { webgpu, ...others } = isFolder ? WASM_FILES : paths;
  const resolve = (path: string | URL) => new URL(base + path, location.href).href;
  return {
    ort: resolve(others.ort),
    jpeg: resolve(others.jpeg),
    png: resolve(others.png),
    webp: resolve(others.webp),
    ...(webgpu !== undefined && { webgpu: resolve(webgpu) }),
  };
}

/** Where the files are by default: beside the script. Written out, so that bundlers find them. */
export function besideScript(): WasmUrls {
  return {
    ort: new URL("./ort-wasm-simd-threaded.wasm", import.meta.url).href,
    webgpu: new URL("./ort-wasm-simd-threaded.asyncify.wasm", import.meta.url).href,
    jpeg: new URL("./mozjpeg_dec.wasm", import.meta.url).href,
    png: new URL("./squoosh_png_bg.wasm", import.meta.url).href,
    webp: new URL("./webp_dec.wasm", import.meta.url).href,
  };
}
