/**
 * Pictures to pixels by sharp, where its machine code may run: faster than the WebAssembly decoders, and equal to them to
 * the byte. What a picture's header refuses is refused by the same code; and where sharp finds the least fault with its
 * data, the WebAssembly decoder has the last word.
 */

import { orient, type Picture, pictureFromRows } from "@clip-e/shared";
import { checkPixels, decodePicture } from "./decode_picture.ts";
import { createDecoders, type Decoders } from "./decoders.ts";
import { readPictureHeader } from "./picture_header.ts";

/** Decodes a picture and turns it upright; refuses as {@link decodePicture} does. */
export type Decode = (bytes: Uint8Array, maxPixels: number) => Promise<Picture>;

/** What sharp gives: rows of pixels. */
export interface SharpRows {
  /** `[height, width, channels]`. */
  readonly data: Uint8Array;
  /** Sizes, in pixels. */
  readonly info: { readonly width: number; readonly height: number; readonly channels: number };
}

/** What is done to a picture. */
export interface SharpPipeline {
  /** Drops alpha, without compositing. */
  removeAlpha(): SharpPipeline;
  /** Grey and palettes to RGB. */
  toColourspace(name: string): SharpPipeline;
  /** Bytes, without a file's format. */
  raw(options: { depth: "uchar" }): SharpPipeline;
  /** Computes. */
  toBuffer(options: { resolveWithObject: true }): Promise<SharpRows>;
}

/** What is used of the `sharp` package, which whoever decodes with it loads. */
export type Sharp = (
  bytes: Uint8Array,
  options: { ignoreIcc: boolean; failOn: "warning"; limitInputPixels: false },
) => SharpPipeline;

/**
 * Makes a decoder of sharp.
 *
 * @param sharp the package's function
 * @param decoders which decide on pictures that sharp finds fault with
 */
export function createSharpDecoder(sharp: Sharp, decoders: Decoders = createDecoders()): Decode {
  return async (bytes, maxPixels) => {
    const header = readPictureHeader(bytes);
    checkPixels(header, maxPixels);
    const rows = await decodeFlawless(sharp, bytes);
    if (rows?.info.width !== header.width || rows.info.height !== header.height) {
      return await decodePicture(bytes, decoders, maxPixels);
    }
    const picture = pictureFromRows(rows.data, header.width, header.height, 3);
    return orient(picture, header.orientation);
  };
}

/** Decodes to `[height, width, 3]`; gives nothing for a picture that is not flawless. */
async function decodeFlawless(sharp: Sharp, bytes: Uint8Array): Promise<SharpRows | undefined> {
  try {
    const rows = await sharp(bytes, {
      ignoreIcc: true,
      failOn: "warning",
      limitInputPixels: false,
    })
      .removeAlpha()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return rows.info.channels === 3 ? rows : undefined;
  } catch {
    return undefined;
  }
}
