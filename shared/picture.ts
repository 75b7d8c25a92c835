/**
 * A decoded picture, as a view on the decoder's own memory: turning it upright copies nothing.
 */

/** Pixels in memory. The red, green and blue bytes of pixel (x, y) start at `offset + x * strideX + y * strideY`. */
export interface Picture {
  /** In pixels, as seen. */
  readonly width: number;
  /** In pixels, as seen. */
  readonly height: number;
  /** The decoder's output. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Where the top left pixel starts, in bytes. */
  readonly offset: number;
  /** From a pixel to its right neighbour, in bytes; may be negative. */
  readonly strideX: number;
  /** From a pixel to the one below, in bytes; may be negative. */
  readonly strideY: number;
}

/**
 * A picture from rows of interleaved pixels, first row first.
 *
 * @param data `[height, width, channels]`
 * @param width in pixels
 * @param height in pixels
 * @param channels bytes in a pixel: 3, or 4 of which the last is never looked at (alpha is dropped, as Pillow's
 * `convert("RGB")` does)
 * @throws {RangeError} when the data has another length
 */
export function pictureFromRows(
  data: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  channels: 3 | 4,
): Picture {
  if (data.length !== width * height * channels) {
    throw new RangeError(
      `Cannot make a picture of ${width} x ${height} x ${channels} from ${data.length} bytes`,
    );
  }
  return { width, height, data, offset: 0, strideX: channels, strideY: width * channels };
}

/**
 * Turns a picture upright.
 *
 * @param picture as stored
 * @param orientation EXIF tag 274, 1 to 8 (CIPA DC-008, 4.6.5): any other value leaves the picture as it is
 * @returns a view of the same memory
 */
export function orient(picture: Picture, orientation: number): Picture {
  const { width, height, data, offset, strideX, strideY } = picture;
  const right = offset + (width - 1) * strideX;
  const bottom = offset + (height - 1) * strideY;
  const corner = right + bottom - offset;
  const upright = (offset: number, strideX: number, strideY: number): Picture => (
    { width, height, data, offset, strideX, strideY }
  );
  const turned = (offset: number, strideX: number, strideY: number): Picture => (
    { width: height, height: width, data, offset, strideX, strideY }
  );
  switch (orientation) {
    case 2:
      return upright(right, -strideX, strideY);
    case 3:
      return upright(corner, -strideX, -strideY);
    case 4:
      return upright(bottom, strideX, -strideY);
    case 5:
      return turned(offset, strideY, strideX);
    case 6:
      return turned(bottom, -strideY, strideX);
    case 7:
      return turned(corner, -strideY, -strideX);
    case 8:
      return turned(right, strideY, -strideX);
    default:
      return picture;
  }
}
