/**
 * The edge in a web page: pictures are classified on the caller's own device and leave it for nowhere. The same decoders,
 * preprocessing and runtime as on a server, in WebAssembly or on the device's GPU; never a canvas, whose pixels differ by
 * browser.
 *
 * A page's policy needs `script-src 'wasm-unsafe-eval'`, and `connect-src` for the bundle's host.
 *
 * @module
 */

export { ClipEError, ERROR_CODES, type ErrorCode } from "@clip-e/shared";
export type { BundleSource, Normalization, NORMALIZATIONS, PartFault } from "@clip-e/shared";
export type {
  Classification,
  Classifier,
  ImageSize,
  PictureEmbedding,
  Timings,
} from "../../classifier.ts";
export type { PictureType } from "../../decode/picture_header.ts";
export type { CacheLike } from "../../http/file_cache.ts";
export { type FileProgress, httpSource, type HttpSourceOptions } from "../../http_source.ts";
export type { Method, MethodInfo, METHODS, ModelInfo, TaxonomyInfo } from "../../model_info.ts";
export type { ClassifyOptions } from "../../plan.ts";
export type { Prediction, Score } from "../../score.ts";
export { type BrowserClassifierOptions, createBrowserClassifier } from "./browser_classifier.ts";
export type { BackendChoice } from "./choose_backends.ts";
export { WASM_FILES, type WasmName, type WasmPaths, type WasmPlaces } from "./wasm_files.ts";
