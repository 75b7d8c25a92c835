/**
 * The entry for workerd. WebAssembly comes as modules, since a Worker may not compile any; that is all that this file is
 * for, and why it is not TypeScript: elsewhere, importing a `.wasm` file means something else.
 */

import jpeg from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import png from "@jsquash/png/codec/pkg/squoosh_png_bg.wasm";
import webp from "@jsquash/webp/codec/dec/webp_dec.wasm";
import ort from "onnxruntime-web/ort-wasm-simd-threaded.wasm";
import { createHandler } from "./handler.ts";

export default createHandler({ ort, jpeg, png, webp });
