/**
 * The decode door: picture bytes in, pixels out.
 *
 * @module
 */

export { checkPixels, decodePicture } from "./decode_picture.ts";
export { undecodable } from "./decode_errors.ts";
export {
  createDecoders,
  type DecodedRows,
  type DecoderModules,
  type Decoders,
  type KeepOptions,
  PACKAGED_MODULES,
} from "./decoders.ts";
export {
  createSharpDecoder,
  type Decode,
  type Sharp,
  type SharpPipeline,
  type SharpRows,
} from "./sharp_decoder.ts";
export { type PictureHeader, type PictureType, readPictureHeader } from "./picture_header.ts";
