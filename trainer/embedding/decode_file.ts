/**
 * Pictures on disk to pixels, by sharp: what is trained on is, to the byte, what would be served.
 */

import { createSharpDecoder, type Decode } from "@clip-e/edge/decode";
import sharp from "sharp";

/**
 * Decodes a picture and turns it upright: a JPEG, PNG or WebP file; one with more than `maxPixels` is refused by its
 * header. Throws a `ClipEError` as the edge's `decodePicture` does.
 */
export const decodeFile: Decode = createSharpDecoder(sharp);
