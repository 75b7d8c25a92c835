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
import { type PictureType, readPictureHeader } from "./picture_header.ts";
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
export interface DecoderInstance {
  /** Decodes one file; after it threw, the instance may not be used again. */
  readonly decode: (bytes: Uint8Array) => DecodedRows;
  /** What it holds, which grows with its largest picture. */
  readonly memory: WebAssembly.Memory;
}

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

/** Which instances stay for the next picture, with their memory. */
export interface KeepOptions {
  /** One that decoded more than this many pixels is let go. By default 4 million. */
  readonly keepPixels?: number;
  /**
   * The most bytes that instances hold together, the one that decodes among them as far as its picture's header tells: the
   * largest go first. By default as many as there are.
   */
  readonly keepBytes?: number;
}

/**
 * Makes decoders of modules.
 *
 * @param modules where their WebAssembly comes from
 * @param options which instances stay
 */
export function createDecoders(
  modules: DecoderModules = PACKAGED_MODULES,
  options: KeepOptions = {},
): Decoders {
  const { keepPixels = 4_000_000, keepBytes = Infinity } = options;
  /** Those that wait. */
  const kept = new Map<PictureType, DecoderInstance>();
  const makeRoom = (bytes: number) => {
    const sizes = [...kept].map(([type, { memory }]) => ({ type, size: memory.buffer.byteLength }));
    let held = sizes.reduce((sum, { size }) => sum + size, bytes);
    for (const { type, size } of sizes.sort((a, b) => b.size - a.size)) {
      if (held <= keepBytes) return;
      kept.delete(type);
      held -= size;
    }
  };
  const make = (type: PictureType, instantiate: Instantiate) => {
    const start = createStarter(modules[type], instantiate);
    return async (bytes: Uint8Array) => {
      const waiting = kept.get(type);
      // One that fails does not come back.
      kept.delete(type);
      if (keepBytes < Infinity) makeRoom(expectedMemory(type, bytes));
      const instance = waiting ?? await start();
      const rows = instance.decode(bytes);
      if (rows.width * rows.height <= keepPixels) kept.set(type, instance);
      makeRoom(0);
      return rows;
    };
  };
  return {
    jpeg: make("jpeg", instantiateJpeg),
    png: make("png", instantiatePng),
    webp: make("webp", instantiateWebp),
  };
}

/** Measured on every kind of file: what an instance starts with, and the most that it takes for a pixel beside the file. */
const MEMORY: Readonly<Record<PictureType, { readonly start: number; readonly pixel: number }>> = {
  jpeg: { start: 17e6, pixel: 10.6 },
  png: { start: 1.5e6, pixel: 4.5 },
  webp: { start: 17e6, pixel: 11.5 },
};

/** What decoding may take, at the most. */
function expectedMemory(type: PictureType, bytes: Uint8Array): number {
  const { width, height } = readPictureHeader(bytes);
  const { start, pixel } = MEMORY[type];
  return Math.max(start, pixel * width * height + bytes.length);
}

type Instantiate = (module: WebAssembly.Module) => DecoderInstance | Promise<DecoderInstance>;

/** Starts instances of a module, which is loaded once. A decoder that does not start is no fault of the picture. */
function createStarter(
  load: () => Promise<WebAssembly.Module>,
  instantiate: Instantiate,
): () => Promise<DecoderInstance> {
  let module: Promise<WebAssembly.Module> | undefined;
  return async () => {
    module ??= load().catch((cause) => {
      module = undefined;
      throw new ClipEError("internal", "The decoder of this picture's type did not load", {
        cause,
      });
    });
    const loaded = await module;
    try {
      return await instantiate(loaded);
    } catch (cause) {
      throw new ClipEError("internal", "The decoder of this picture's type did not start", {
        cause,
      });
    }
  };
}

/** What Emscripten's generated code takes, of which the libraries' declarations name a part, and the memory that it makes. */
function emscriptenOptions(
  module: WebAssembly.Module,
  printErr: (line: string) => void,
): { readonly options: object; readonly memory: () => WebAssembly.Memory } {
  let memory: WebAssembly.Memory | undefined;
  const options = {
    noInitialRun: true,
    printErr,
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(module, imports);
      memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
      done(instance);
      return instance.exports;
    },
  };
  return {
    options,
    memory() {
      if (!memory) throw new Error("Cannot start a decoder: it exports no memory");
      return memory;
    },
  };
}

async function instantiateJpeg(module: WebAssembly.Module): Promise<DecoderInstance> {
  const warnings: string[] = [];
  const { options, memory } = emscriptenOptions(module, (line) => warnings.push(line));
  const codec = await startMozjpeg(options);
  const decode = (bytes: Uint8Array) => {
    warnings.length = 0;
    const rows = asRows(codec.decode(asBufferSource(bytes), false));
    // libjpeg fills what is missing with grey, and only warns.
    const missing = warnings.find((line) => line.includes("premature end"));
    if (missing) throw new Error(missing);
    return rows;
  };
  return { decode, memory: memory() };
}

async function instantiateWebp(module: WebAssembly.Module): Promise<DecoderInstance> {
  const { options, memory } = emscriptenOptions(module, () => {});
  const codec = await startLibwebp(options);
  return { decode: (bytes) => asRows(codec.decode(asBufferSource(bytes))), memory: memory() };
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
