/**
 * The WebAssembly that computes where there is nothing faster: ONNX Runtime's, one file for each of its backends, and one of
 * each decoder. Whoever serves it to pages finds it by these names.
 */

import type { PictureType } from "./decode/picture_header.ts";

/** A file. */
export type WasmName = "ort" | "webgpu" | PictureType;

/** What the files are called, in the packages that they come from and in a folder beside a page's script. */
export const WASM_FILES: Readonly<Record<WasmName, string>> = {
  ort: "ort-wasm-simd-threaded.wasm",
  webgpu: "ort-wasm-simd-threaded.asyncify.wasm",
  jpeg: "mozjpeg_dec.wasm",
  png: "squoosh_png_bg.wasm",
  webp: "webp_dec.wasm",
};

/** Where packages have them. */
export const WASM_PACKAGES: Readonly<Record<WasmName, string>> = {
  ort: "onnxruntime-web",
  webgpu: "onnxruntime-web",
  jpeg: "@jsquash/jpeg/codec/dec",
  png: "@jsquash/png/codec/pkg",
  webp: "@jsquash/webp/codec/dec",
};
