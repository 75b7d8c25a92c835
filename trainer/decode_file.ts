/**
 * Pictures on disk to pixels, by sharp: faster than the edge's decoders, and equal to them to the byte. What a picture's
 * header refuses is refused by the edge's own code; and where sharp finds the least fault with its data, the edge's
 * decoder has the last word, so that what is trained on is what would be served.
 */

import { checkPixels, createDecoders, decodePicture, readPictureHeader } from "@clip-e/edge/decode";
import { orient, type Picture, pictureFromRows } from "@clip-e/shared";
import sharp from "sharp";

const edgeDecoders = createDecoders();

/**
 * Decodes a picture and turns it upright.
 *
 * @param bytes a JPEG, PNG or WebP file
 * @param maxPixels a larger picture is refused by its header
 * @throws {ClipEError} as the edge's `decodePicture` does
 */
export async function decodeFile(bytes: Uint8Array, maxPixels: number): Promise<Picture> {
  const header = readPictureHeader(bytes);
  checkPixels(header, maxPixels);
  const rows = await decodeBySharp(bytes);
  if (!rows) return await decodePicture(bytes, edgeDecoders, maxPixels);
  return orient(
    pictureFromRows(rows.data, rows.info.width, rows.info.height, 3),
    header.orientation,
  );
}

/** Decodes to `[height, width, 3]`; gives nothing for a picture that is not flawless. */
async function decodeBySharp(
  bytes: Uint8Array,
): Promise<{ data: Uint8Array; info: { width: number; height: number } } | undefined> {
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
