/**
 * The two passes of the resampler in WebAssembly with 128-bit vectors. Pictures pass through its memory in bands, since
 * such memory never shrinks.
 */

import { copyAsRgba } from "./resample_copy.ts";
import { type ResamplePasses, scalarPasses } from "./resample_scalar.ts";
import { RESAMPLE_SIMD_MODULE } from "./resample_simd_module.ts";
import type { Taps } from "./resample_taps.ts";

/** Input to a pass that is in memory at once, unless a single output needs more: it should fit the processor's cache. */
const BAND_BYTES = 1 << 18;
const PAGE_BYTES = 1 << 16;
/** Vectors read and write this much at once, and so up to as much beyond an end. */
const VECTOR_BYTES = 16;
/** A weight comes to the module in two 16-bit halves: `low + (high << 12)`, 0 <= low < 2^12. */
const LOW_BITS = 12;

/** What the module exports; its source describes the arguments. */
interface ResampleModule {
  readonly memory: WebAssembly.Memory;
  rows(
    source: number,
    sourceEnd: number,
    stride: number,
    starts: number,
    startsEnd: number,
    weights: number,
    weightBytes: number,
    out: number,
  ): void;
  columns(
    stride: number,
    starts: number,
    startsEnd: number,
    weights: number,
    weightBytes: number,
    out: number,
  ): void;
}

/** Weights as the module takes them. */
interface PackedWeights {
  /** By pairs of taps: two low halves, then two high halves. Every output sample has as many. */
  readonly weights: Int16Array;
  /** Taps of an output sample, those of weight 0 included. */
  readonly taps: number;
  /** Bytes of weights of an output sample. */
  readonly bytes: number;
}

function packWeights({ first, count, weights, width }: Taps, multiple: number): PackedWeights {
  const taps = Math.ceil(count.reduce((a, b) => Math.max(a, b)) / multiple) * multiple;
  const packed = new Int16Array(first.length * taps * 2);
  for (let i = 0; i < first.length; i++) {
    for (let j = 0; j < count[i]; j++) {
      const weight = weights[i * width + j];
      const low = i * taps * 2 + (j >> 1) * 4 + (j & 1);
      packed[low] = weight & ((1 << LOW_BITS) - 1);
      packed[low + 2] = weight >> LOW_BITS;
    }
  }
  return { weights: packed, taps, bytes: taps * 4 };
}

/**
 * Compiles the passes.
 *
 * @returns `undefined` where there is no WebAssembly, where it has no vectors, or where compiling is forbidden, as in
 * workerd and on pages whose policy lacks `wasm-unsafe-eval`
 */
export function createSimdPasses(): ResamplePasses | undefined {
  try {
    const bytes = Uint8Array.from(atob(RESAMPLE_SIMD_MODULE), (letter) => letter.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return simdPasses(exports as unknown as ResampleModule);
  } catch {
    return undefined;
  }
}

function simdPasses(module: ResampleModule): ResamplePasses {
  return {
    rows(picture, across, firstRow, lastRow) {
      const columns = across.first.length;
      const left = across.first[0];
      const pixels = across.first[columns - 1] + across.count[columns - 1] - left;
      const stride = pixels * 4;
      const packed = packWeights(across, 4);
      const bandRows = Math.max(1, Math.min(lastRow - firstRow, Math.floor(BAND_BYTES / stride)));
      const places = allot(module.memory, [
        packed.weights.byteLength,
        columns * 4,
        bandRows * stride + packed.taps * 4,
        bandRows * columns * 3 + VECTOR_BYTES,
      ]);
      if (!places) return scalarPasses.rows(picture, across, firstRow, lastRow);

      const [weights, starts, source, target] = places;
      const { buffer } = module.memory;
      new Int16Array(buffer, weights).set(packed.weights);
      new Int32Array(buffer, starts).set(across.first.map((pixel) => (pixel - left) * 4));
      const out = new Uint8Array((lastRow - firstRow) * columns * 3);
      for (let row = firstRow; row < lastRow; row += bandRows) {
        const height = Math.min(bandRows, lastRow - row);
        const band = new Uint8Array(buffer, source, height * stride);
        copyAsRgba(picture, { left, top: row, width: pixels, height }, band);
        module.rows(
          source,
          source + height * stride,
          stride,
          starts,
          starts + columns * 4,
          weights,
          packed.bytes,
          target,
        );
        const made = new Uint8Array(buffer, target, height * columns * 3);
        out.set(made, (row - firstRow) * columns * 3);
      }
      return out;
    },

    columns(rows, down, firstRow, stride) {
      const { first } = down;
      const packed = packWeights(down, 2);
      const bandRows = Math.max(packed.taps, Math.floor(BAND_BYTES / stride));
      const bandBytes = bandRows * stride + VECTOR_BYTES;
      const sizes = [packed.weights.byteLength, first.length * 4, bandBytes, bandBytes];
      const places = allot(module.memory, sizes);
      if (!places) return scalarPasses.columns(rows, down, firstRow, stride);

      const [weights, starts, source, target] = places;
      const { buffer } = module.memory;
      new Int16Array(buffer, weights).set(packed.weights);
      const out = new Uint8Array(first.length * stride);
      for (let y = 0, end = 0; y < first.length; y = end) {
        const fits = (y: number, top: number) => first[y] + packed.taps - top <= bandRows;
        for (end = y + 1; end < first.length && end - y < bandRows && fits(end, first[y]);) end++;
        const addresses = first.subarray(y, end).map((row) => source + (row - first[y]) * stride);
        new Int32Array(buffer, starts).set(addresses);
        const from = (first[y] - firstRow) * stride;
        const band = rows.subarray(from, from + bandRows * stride);
        new Uint8Array(buffer, source).set(band);
        module.columns(
          stride,
          starts,
          starts + (end - y) * 4,
          weights + y * packed.bytes,
          packed.bytes,
          target,
        );
        out.set(new Uint8Array(buffer, target, (end - y) * stride), y * stride);
      }
      return out;
    },
  };
}

/** Addresses for some sizes, in bytes, in a memory that grows as needed; `undefined` where it cannot. */
function allot(memory: WebAssembly.Memory, sizes: readonly number[]): number[] | undefined {
  let end = 0;
  const places = sizes.map((size) => {
    const place = end;
    end += Math.ceil(size / VECTOR_BYTES) * VECTOR_BYTES;
    return place;
  });
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  try {
    if (missing > 0) memory.grow(missing);
  } catch {
    return undefined;
  }
  return places;
}
