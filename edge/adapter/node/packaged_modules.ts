/**
 * The decoders' WebAssembly from their packages on disk, since Node's `fetch` reads no files.
 */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { DecoderModules } from "../../decode/decoders.ts";

const { resolve } = createRequire(import.meta.url);

/** The modules that lie in the decoders' own packages. */
export const packagedModules: DecoderModules = {
  jpeg: () => readModule("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm"),
  png: () => readModule("@jsquash/png/codec/pkg/squoosh_png_bg.wasm"),
  webp: () => readModule("@jsquash/webp/codec/dec/webp_dec.wasm"),
};

async function readModule(specifier: string): Promise<WebAssembly.Module> {
  return await WebAssembly.compile(new Uint8Array(await readFile(resolve(specifier))));
}
