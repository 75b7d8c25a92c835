/**
 * The WebAssembly decoders. Each is compiled when the first picture of its type comes; where its module comes from differs
 * by runtime.
 *
 * The libraries' own wrappers keep one instance for ever. Here an instance lives until it fails or has decoded something
 * large: a decoder that threw leaves its stack and heap as they were (a few hundred damaged PNGs would break it for all
 * that follow), and WebAssembly memory never shrinks.
 */

import { ClipEError } from "@clip-e/shared";
import startMozjpeg from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import startLibwebp from "@jsquash/webp/codec/dec/webp_dec.js";
import type { PictureType } from "./picture_header.ts";
import { instantiatePng } from "./png_decoder.ts";

/** A decoder's output. */
export interface DecodedRows {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** `[height, width, 4]`: red, green, blue, alpha. */
  readonly data: Uint8ClampedArray;
}

/** Loads the compiled module of one decoder. */
export type DecoderModules = Readonly<Record<PictureType, () => Promise<WebAssembly.Module>>>;

/** Decodes whole files of each type; throws anything at all when it cannot, and a `ClipEError` when that is not the file's fault. */
export type Decoders = Readonly<Record<PictureType, (bytes: Uint8Array) => Promise<DecodedRows>>>;

/** A running decoder. */
export type DecoderInstance = (bytes: Uint8Array) => DecodedRows;

/** The modules that lie in the decoders' own packages, for runtimes that can fetch them: Deno and pages. */
export const PACKAGED_MODULES: DecoderModules = {
  jpeg: () => fetchModule(import.meta.resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm")),
  png: () => fetchModule(import.meta.resolve("@jsquash/png/codec/pkg/squoosh_png_bg.wasm")),
  webp: () => fetchModule(import.meta.resolve("@jsquash/webp/codec/dec/webp_dec.wasm")),
};

async function fetchModule(url: string): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  return await WebAssembly.compile(await response.arrayBuffer());
}

/** An instance that decoded more than this many pixels is let go, with its memory. */
const KEEP_PIXELS = 4_000_000;

/**
 * Makes decoders of modules.
 *
 * @param modules where their WebAssembly comes from
 */
export function createDecoders(modules: DecoderModules = PACKAGED_MODULES): Decoders {
  return {
    jpeg: keep(modules.jpeg, instantiateJpeg),
    png: keep(modules.png, instantiatePng),
    webp: keep(modules.webp, instantiateWebp),
  };
}

/** Decodes with one instance after another. */
function keep(
  load: () => Promise<WebAssembly.Module>,
  instantiate: (module: WebAssembly.Module) => DecoderInstance | Promise<DecoderInstance>,
): (bytes: Uint8Array) => Promise<DecodedRows> {
  let module: Promise<WebAssembly.Module> | undefined;
  let instance: DecoderInstance | undefined;
  /** A decoder that does not start is no fault of the picture. */
  const start = async (module: WebAssembly.Module) => {
    try {
      return await instantiate(module);
    } catch (cause) {
      throw new ClipEError("internal", "The decoder of this picture's type did not start", {
        cause,
      });
    }
  };
  return async (bytes) => {
    module ??= load().catch((cause) => {
      module = undefined;
      throw new ClipEError("internal", "The decoder of this picture's type did not load", {
        cause,
      });
    });
    const decode = instance ?? await start(await module);
    instance = undefined;
    const rows = decode(bytes);
    if (rows.width * rows.height <= KEEP_PIXELS) instance = decode;
    return rows;
  };
}

/** What Emscripten's generated code takes, of which the libraries' declarations name a part. */
function emscriptenOptions(module: WebAssembly.Module, printErr: (line: string) => void): object {
  return {
    noInitialRun: true,
    printErr,
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(module, imports);
      done(instance);
      return instance.exports;
    },
  };
}

async function instantiateJpeg(module: WebAssembly.Module): Promise<DecoderInstance> {
  const warnings: string[] = [];
  const codec = await startMozjpeg(emscriptenOptions(module, (line) => warnings.push(line)));
  return (bytes) => {
    warnings.length = 0;
    const rows = asRows(codec.decode(asBufferSource(bytes), false));
    // libjpeg fills what is missing with grey, and only warns.
    const missing = warnings.find((line) => line.includes("premature end"));
    if (missing) throw new Error(missing);
    return rows;
  };
}

async function instantiateWebp(module: WebAssembly.Module): Promise<DecoderInstance> {
  const codec = await startLibwebp(emscriptenOptions(module, () => {}));
  return (bytes) => asRows(codec.decode(asBufferSource(bytes)));
}

/** `ImageData` may hold 16-bit floats by its declaration; these decoders give bytes. */
function asRows(image: ImageData | null): DecodedRows {
  if (!image) throw new Error("the decoder gave nothing");
  const { width, height, data } = image;
  return { width, height, data: data as Uint8ClampedArray };
}

/** Declared for buffers that are not shared, which all of ours are. */
function asBufferSource(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
