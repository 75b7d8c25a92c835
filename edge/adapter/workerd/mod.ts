/**
 * The edge on Cloudflare Workers and other hosts of workerd. A Worker of one's own is a script that imports the WebAssembly
 * modules, which the platform compiles, and exports what `createHandler` makes of them:
 *
 * ```js
 * import jpeg from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
 * import png from "@jsquash/png/codec/pkg/squoosh_png_bg.wasm";
 * import webp from "@jsquash/webp/codec/dec/webp_dec.wasm";
 * import ort from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
 * import { createHandler } from "@clip-e/edge/worker";
 *
 * export default createHandler({ ort, jpeg, png, webp });
 * ```
 *
 * @module
 */

export * from "../../mod.ts";
export type { Assets } from "./asset_store.ts";
export type { Bucket } from "./bucket_store.ts";
export type { RateLimiter } from "./env.ts";
export * from "./handler.ts";
export type { StoredFile } from "./parted_files.ts";
