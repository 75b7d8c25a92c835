/**
 * Picture bytes to pixels. Everything that can be refused by the header is refused before a pixel is decoded.
 */

import { ClipEError, orient, type Picture, pictureFromRows } from "@clip-e/shared";
import { undecodable } from "./decode_errors.ts";
import type { DecodedRows, Decoders } from "./decoders.ts";
import { type PictureHeader, readPictureHeader } from "./picture_header.ts";

/**
 * Decodes a picture and turns it upright.
 *
 * @param bytes a JPEG, PNG or WebP file
 * @param decoders which decode
 * @param maxPixels a larger picture is refused by its header, before it is decoded
 * @returns the upright picture; alpha is dropped, colour profiles are ignored
 * @throws {ClipEError} `no-picture`, `unsupported-type`, `unsupported-colour`, `too-many-pixels`, `truncated` or
 * `undecodable`
 */
export async function decodePicture(
  bytes: Uint8Array,
  decoders: Decoders,
  maxPixels: number,
): Promise<Picture> {
  const header = readPictureHeader(bytes);
  checkPixels(header, maxPixels);
  const { data, width, height } = await decode(bytes, decoders, header);
  return orient(pictureFromRows(data, width, height, 4), header.orientation);
}

/**
 * Refuses a picture that has too many pixels.
 *
 * @param header its size
 * @param maxPixels the most that are allowed
 * @throws {ClipEError} `too-many-pixels`
 */
export function checkPixels(
  { width, height }: Pick<PictureHeader, "width" | "height">,
  maxPixels: number,
): void {
  if (width * height > maxPixels) {
    throw new ClipEError(
      "too-many-pixels",
      `The picture has ${width} x ${height} pixels, more than the ${maxPixels} allowed: send it smaller`,
    );
  }
}

async function decode(
  bytes: Uint8Array,
  decoders: Decoders,
  header: PictureHeader,
): Promise<DecodedRows> {
  const name = { jpeg: "JPEG", png: "PNG", webp: "WebP" }[header.type];
  let decoded: DecodedRows;
  try {
    decoded = await decoders[header.type](bytes);
  } catch (cause) {
    if (cause instanceof ClipEError) throw cause;
    throw undecodable(name, "its data is damaged", cause);
  }
  if (decoded.width !== header.width || decoded.height !== header.height) {
    throw undecodable(name, "its data is of another size than its header says");
  }
  return decoded;
}
