/**
 * A PNG's header (W3C PNG, third edition), and whether the file is whole. Of an animated PNG the still image counts, which
 * every viewer can show.
 */

import { exifOrientation } from "./exif_orientation.ts";
import { truncated, undecodable } from "./decode_errors.ts";

/**
 * Reads a PNG's size and orientation, and walks to its end.
 *
 * @param bytes the whole file
 * @throws {ClipEError} `truncated` or `undecodable`
 */
export function readPngHeader(
  bytes: Uint8Array,
): { width: number; height: number; orientation: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size: { width: number; height: number } | undefined;
  let orientation = 1;
  let at = 8;
  while (true) {
    if (at + 12 > bytes.length) throw truncated("PNG");
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const data = at + 8;
    if (data + length + 4 > bytes.length && type !== "IHDR") throw truncated("PNG");
    if (!size) {
      if (type !== "IHDR" || length !== 13) throw undecodable("PNG", "it does not begin with IHDR");
      if (data + length > bytes.length) throw truncated("PNG");
      size = { width: view.getUint32(data), height: view.getUint32(data + 4) };
      if (size.width === 0 || size.height === 0) {
        throw undecodable("PNG", `its size is ${size.width} x ${size.height}`);
      }
    } else if (type === "eXIf") {
      orientation = exifOrientation(bytes.subarray(data, data + length));
    } else if (type === "IEND") {
      return { ...size, orientation };
    }
    at = data + length + 4;
  }
}
