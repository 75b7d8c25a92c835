/**
 * A WebP's header (RFC 9649), and whether the file is whole.
 */

import { exifOrientation } from "./exif_orientation.ts";
import { truncated, undecodable, unsupportedType } from "./decode_errors.ts";

const ANIMATION = 0x02;

/**
 * Reads a WebP's size and orientation.
 *
 * @param bytes the whole file
 * @throws {ClipEError} `unsupported-type` when it is animated, `truncated` or `undecodable`
 */
export function readWebpHeader(
  bytes: Uint8Array,
): { width: number; height: number; orientation: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = view.getUint32(4, true) + 8;
  let size: { width: number; height: number } | undefined;
  let orientation = 1;
  for (let at = 12; at + 8 <= Math.min(end, bytes.length);) {
    const type = String.fromCharCode(...bytes.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const chunk = bytes.subarray(at + 8, at + 8 + length);
    if (type === "VP8X" && (chunk[0] & ANIMATION) !== 0) throw unsupportedType("an animated WebP");
    size ??= readSize(type, chunk);
    if (type === "EXIF") orientation = exifOrientation(stripExifPrefix(chunk));
    at += 8 + length + (length % 2);
  }
  if (end > bytes.length) throw truncated("WebP");
  if (!size) throw undecodable("WebP", "it holds no picture");
  if (size.width === 0 || size.height === 0) {
    throw undecodable("WebP", `its size is ${size.width} x ${size.height}`);
  }
  return { ...size, orientation };
}

/** Size from whichever chunk comes first: the canvas, a lossy frame (RFC 6386, 9.1) or a lossless one. */
function readSize(type: string, chunk: Uint8Array): { width: number; height: number } | undefined {
  if (chunk.length < 10 && !(type === "VP8L" && chunk.length >= 5)) return undefined;
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  switch (type) {
    case "VP8X":
      return {
        width: 1 + (view.getUint32(4, true) & 0xffffff),
        height: 1 + (view.getUint32(6, true) >>> 8),
      };
    case "VP8 ":
      return {
        width: view.getUint16(6, true) & 0x3fff,
        height: view.getUint16(8, true) & 0x3fff,
      };
    case "VP8L": {
      const bits = view.getUint32(1, true);
      return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
    }
    default:
      return undefined;
  }
}

/** Some writers put JPEG's prefix before the TIFF structure. */
function stripExifPrefix(chunk: Uint8Array): Uint8Array {
  return String.fromCharCode(...chunk.subarray(0, 6)) === "Exif\0\0" ? chunk.subarray(6) : chunk;
}
