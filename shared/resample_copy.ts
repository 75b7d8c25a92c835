/**
 * Copies bands of pictures to where WebAssembly can read them, in the one layout that its loops know.
 */

import type { Picture } from "./picture.ts";

/** A part of a picture, in its pixels. */
export interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Copies a part of a picture as rows of RGBA.
 *
 * @param picture of three or four bytes to a pixel, turned in any way
 * @param part what to copy
 * @param out `[part.height, part.width, 4]`, at a multiple of 4 in its buffer; what becomes A means nothing
 */
export function copyAsRgba(picture: Picture, part: Part, out: Uint8Array): void {
  const { strideX, strideY } = picture;
  const { left, top, width, height } = part;
  const { buffer, byteOffset, length } = picture.data;
  const data = new Uint8Array(buffer, byteOffset, length);
  const start = picture.offset + left * strideX + top * strideY;
  if (strideX === 4) {
    for (let y = 0; y < height; y++) {
      const from = start + y * strideY;
      out.set(data.subarray(from, from + width * 4), y * width * 4);
    }
    return;
  }
  // Along the decoder's rows, whichever way these lie now.
  const turned = Math.abs(strideX) > Math.abs(strideY);
  const [outer, inner] = turned
    ? [{ count: width, from: strideX, to: 1 }, { count: height, from: strideY, to: width }]
    : [{ count: height, from: strideY, to: width }, { count: width, from: strideX, to: 1 }];
  const words = [byteOffset, start, strideX, strideY].every((n) => n % 4 === 0);
  if (words) {
    const source = new Uint32Array(buffer, byteOffset, length >> 2);
    const target = new Uint32Array(out.buffer, out.byteOffset, out.length >> 2);
    const step = inner.from / 4;
    for (let a = 0; a < outer.count; a++) {
      let i = (start + a * outer.from) / 4;
      let o = a * outer.to;
      for (let b = 0; b < inner.count; b++, i += step, o += inner.to) target[o] = source[i];
    }
    return;
  }
  for (let a = 0; a < outer.count; a++) {
    let i = start + a * outer.from;
    let o = a * outer.to * 4;
    for (let b = 0; b < inner.count; b++, i += inner.from, o += inner.to * 4) {
      out[o] = data[i];
      out[o + 1] = data[i + 1];
      out[o + 2] = data[i + 2];
    }
  }
}
