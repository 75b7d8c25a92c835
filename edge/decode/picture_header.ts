/**
 * What a picture's first bytes say, before anything is decoded: its type, its size, which way is up, and whether it can be
 * served at all. The bytes decide; a `Content-Type` or a file's name is never asked.
 */

import { ClipEError } from "@clip-e/shared";
import { unsupportedType } from "./decode_errors.ts";
import { readJpegHeader } from "./jpeg_header.ts";
import { readPngHeader } from "./png_header.ts";
import { readWebpHeader } from "./webp_header.ts";

/** The types that are decoded. */
export type PictureType = "jpeg" | "png" | "webp";

/** What is known before decoding. */
export interface PictureHeader {
  /** By its first bytes. */
  readonly type: PictureType;
  /** As stored, in pixels. */
  readonly width: number;
  /** As stored, in pixels. */
  readonly height: number;
  /** EXIF orientation, 1 to 8. */
  readonly orientation: number;
}

/** Types that people send and that are not decoded, by their first bytes. */
const OTHER_TYPES: readonly (readonly [name: string, signature: RegExp])[] = [
  ["GIF", /^GIF8[79]a/],
  ["HEIC", /^.{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)/s],
  ["AVIF", /^.{4}ftypavi[fs]/s],
  ["JPEG XL", /^(\xff\n|.{4}JXL )/s],
  ["JPEG 2000", /^(.{4}jP {2}|\xffO\xffQ)/s],
  ["TIFF", /^(II\*\0|MM\0\*)/],
  ["BMP", /^BM.{12}/s],
  ["PSD", /^8BPS/],
  ["PDF", /^%PDF-/],
  // A comment is matched in one way only: `.*?` could also run over its end, and matching would take for ever.
  ["SVG", /^\s*(<\?xml[^>]*>\s*)?(<!--((?!-->).)*-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/s],
  ["a video", /^.{4}ftyp/s],
];

/**
 * Reads a picture's header.
 *
 * @param bytes the whole file
 * @throws {ClipEError} `no-picture` when there are no bytes, `unsupported-type` naming the type, `truncated`,
 * `undecodable` or `unsupported-colour`
 */
export function readPictureHeader(bytes: Uint8Array): PictureHeader {
  if (bytes.length === 0) throw new ClipEError("no-picture", "There is no picture: it has 0 bytes");
  const start = String.fromCharCode(...bytes.subarray(0, 256));
  if (start.startsWith("\xff\xd8\xff")) return { type: "jpeg", ...readJpegHeader(bytes) };
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return { type: "png", ...readPngHeader(bytes) };
  if (/^RIFF.{4}WEBP/s.test(start)) return { type: "webp", ...readWebpHeader(bytes) };
  const other = OTHER_TYPES.find(([, signature]) => signature.test(start));
  if (other) throw unsupportedType(other[0]);
  throw new ClipEError("unsupported-type", "The bytes are not a picture: send JPEG, PNG or WebP");
}
