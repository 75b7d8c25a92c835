/**
 * Pillow's antialiased resize, to the byte, with the crop fused in: only the rows and columns that the crop keeps are
 * computed. Heads and prompts were made on pictures that Pillow resized, and another resampler gives another embedding.
 *
 * As in Pillow's `Resample.c`, rows come first, then columns, rounded to bytes between the two.
 */

import type { Picture } from "./picture.ts";
import { type ResamplePasses, scalarPasses } from "./resample_scalar.ts";
import { createSimdPasses } from "./resample_simd.ts";
import { FILTERS, type Interpolation, taps } from "./resample_taps.ts";

export type { ResamplePasses } from "./resample_scalar.ts";
export type { Interpolation, Taps } from "./resample_taps.ts";

/** WebAssembly where the engine has it: several times faster, and equal to the byte. */
const FASTEST = createSimdPasses() ?? scalarPasses;

/** A rectangle of the resized picture, in its pixels. */
export interface Crop {
  /** Columns cut off at the left. */
  readonly left: number;
  /** Rows cut off at the top. */
  readonly top: number;
  /** Columns kept. */
  readonly width: number;
  /** Rows kept. */
  readonly height: number;
}

/**
 * Resizes a picture and crops the result.
 *
 * @param picture of any size
 * @param width of the whole resized picture, in pixels
 * @param height of the whole resized picture, in pixels
 * @param crop what to keep of it
 * @param interpolation the filter
 * @param passes the implementation; the result is the same
 * @returns `[crop.height, crop.width, 3]` bytes, equal to Pillow's
 * `image.resize((width, height), Image.BICUBIC).crop(...)`, or `Image.BILINEAR`
 * @throws {RangeError} when the crop does not lie within the resized picture
 */
export function resampleAndCrop(
  picture: Picture,
  width: number,
  height: number,
  crop: Crop,
  interpolation: Interpolation,
  passes: ResamplePasses = FASTEST,
): Uint8Array {
  if (
    crop.left < 0 || crop.top < 0 || crop.width < 1 || crop.height < 1 ||
    crop.left + crop.width > width || crop.top + crop.height > height
  ) {
    throw new RangeError(
      `Cannot crop ${crop.width} x ${crop.height} at ${crop.left}, ${crop.top} from ${width} x ${height}`,
    );
  }
  const filter = FILTERS[interpolation];
  const across = taps(filter, picture.width, width, crop.left, crop.width);
  const down = taps(filter, picture.height, height, crop.top, crop.height);
  const firstRow = down.first[0];
  const lastRow = down.first[crop.height - 1] + down.count[crop.height - 1];
  const rows = passes.rows(picture, across, firstRow, lastRow);
  return passes.columns(rows, down, firstRow, crop.width * 3);
}
