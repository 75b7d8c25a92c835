/**
 * Drives the PNG decoder's WebAssembly. Its package's own wrapper can start only one instance in the life of a program,
 * and that one does not survive damaged pictures: a panic in it gives back neither stack nor heap.
 */

import type { DecodedRows, DecoderInstance } from "./decoders.ts";

interface PngExports {
  readonly memory: WebAssembly.Memory;
  readonly decode: (pointer: number, length: number) => number;
  readonly __wbindgen_malloc: (length: number, alignment: number) => number;
  readonly __wbindgen_free: (pointer: number, length: number, alignment: number) => void;
}

/**
 * Starts an instance.
 *
 * @param module `squoosh_png_bg.wasm` of `@jsquash/png`
 * @returns decodes one file to 8 bits a channel, 16-bit samples by their high byte
 * @throws {Error} when the module asks for something that this code does not know
 */
export function instantiatePng(module: WebAssembly.Module): DecoderInstance {
  let rows: DecodedRows | undefined;

  // wasm-bindgen adds a hash to each name; `new ImageData(...)` is the one import that decoding to 8 bits calls.
  const provided: Record<string, (...args: number[]) => unknown> = {
    __wbg_newwithownedu8clampedarrayandsh(pointer, length, width, height) {
      const data = new Uint8ClampedArray(wasm.memory.buffer, pointer >>> 0, length >>> 0).slice();
      wasm.__wbindgen_free(pointer, length, 1);
      rows = { width: width >>> 0, height: height >>> 0, data };
      return 0;
    },
    __wbindgen_throw(pointer, length) {
      const message = new Uint8Array(wasm.memory.buffer, pointer >>> 0, length >>> 0);
      throw new Error(new TextDecoder().decode(message));
    },
    __wbindgen_object_drop_ref() {},
    __wbindgen_memory: unreachable,
    __wbg_buffer: unreachable,
    __wbg_newwithbyteoffsetandlength: unreachable,
  };
  const imports: Record<string, (...args: number[]) => unknown> = {};
  for (const { name } of WebAssembly.Module.imports(module)) {
    const implementation = provided[name.replace(/_[0-9a-f]{16}$/, "")];
    if (!implementation) throw new Error(`Cannot start the PNG decoder: it asks for ${name}`);
    imports[name] = implementation;
  }
  const instance = new WebAssembly.Instance(module, { wbg: imports });
  const wasm = instance.exports as unknown as PngExports;

  const decode = (bytes: Uint8Array) => {
    rows = undefined;
    const pointer = wasm.__wbindgen_malloc(bytes.length, 1);
    new Uint8Array(wasm.memory.buffer, pointer >>> 0, bytes.length).set(bytes);
    wasm.decode(pointer, bytes.length);
    if (!rows) throw new Error("the decoder gave nothing");
    return rows;
  };
  return { decode, memory: wasm.memory };
}

function unreachable(): never {
  throw new Error("decoding to 8 bits does not call this");
}
