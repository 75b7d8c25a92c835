/**
 * The two passes of the resampler in plain TypeScript: for engines without WebAssembly, or that refuse to compile it, and
 * for what does not fit its memory.
 */

import type { Picture } from "./picture.ts";
import { FRACTION_BITS, type Taps } from "./resample_taps.ts";

const HALF = 1 << (FRACTION_BITS - 1);

/** How rows and columns are resized; every implementation gives the same bytes. */
export interface ResamplePasses {
  /** Resizes rows `firstRow` to `lastRow` across: `[lastRow - firstRow, columns, 3]`. */
  rows(picture: Picture, across: Taps, firstRow: number, lastRow: number): Uint8Array;
  /** Resizes down; `rows` holds the rows from `firstRow` on, each `stride` bytes long, a multiple of 3. */
  columns(rows: Uint8Array, down: Taps, firstRow: number, stride: number): Uint8Array;
}

/** The passes in TypeScript. */
export const scalarPasses: ResamplePasses = { rows: resampleRows, columns: resampleColumns };

/** Fixed point to a byte. */
function toByte(sum: number): number {
  const value = sum >> FRACTION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function resampleRows(
  picture: Picture,
  across: Taps,
  firstRow: number,
  lastRow: number,
): Uint8Array {
  const { offset, strideX, strideY } = picture;
  // Decoders give arrays of several types; an engine that has seen two runs this loop at little over half its speed.
  const data = new Uint8Array(picture.data.buffer, picture.data.byteOffset, picture.data.length);
  const { first, count, weights, width } = across;
  const columns = first.length;
  const out = new Uint8Array((lastRow - firstRow) * columns * 3);
  let o = 0;
  for (let y = firstRow; y < lastRow; y++) {
    const row = offset + y * strideY;
    for (let x = 0; x < columns; x++) {
      let i = row + first[x] * strideX;
      let w = x * width;
      const end = w + count[x];
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (; w < end; w++, i += strideX) {
        const weight = weights[w];
        red = (red + Math.imul(data[i], weight)) | 0;
        green = (green + Math.imul(data[i + 1], weight)) | 0;
        blue = (blue + Math.imul(data[i + 2], weight)) | 0;
      }
      out[o++] = toByte(red);
      out[o++] = toByte(green);
      out[o++] = toByte(blue);
    }
  }
  return out;
}

function resampleColumns(
  rows: Uint8Array,
  down: Taps,
  firstRow: number,
  stride: number,
): Uint8Array {
  const { first, count, weights, width } = down;
  const out = new Uint8Array(first.length * stride);
  let o = 0;
  for (let y = 0; y < first.length; y++) {
    const start = (first[y] - firstRow) * stride;
    const end = y * width + count[y];
    for (let x = start; x < start + stride; x += 3) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let w = y * width, i = x; w < end; w++, i += stride) {
        const weight = weights[w];
        red = (red + Math.imul(rows[i], weight)) | 0;
        green = (green + Math.imul(rows[i + 1], weight)) | 0;
        blue = (blue + Math.imul(rows[i + 2], weight)) | 0;
      }
      out[o++] = toByte(red);
      out[o++] = toByte(green);
      out[o++] = toByte(blue);
    }
  }
  return out;
}
