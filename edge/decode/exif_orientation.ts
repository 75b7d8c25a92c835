/**
 * The one thing of EXIF that changes pixels: which way is up.
 */

const ORIENTATION = 0x0112;
const SHORT = 3;

/**
 * Reads the orientation from EXIF data.
 *
 * @param exif a TIFF structure (CIPA DC-008, 4.5): what follows `Exif\0\0` in a JPEG, the whole chunk in PNG and WebP
 * @returns 1 to 8; 1 where the data has none or is broken, as viewers do
 */
export function exifOrientation(exif: Uint8Array): number {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  if (view.byteLength < 8) return 1;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const little = order === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > view.byteLength) return 1;
  const count = view.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > view.byteLength) return 1;
    if (view.getUint16(entry, little) !== ORIENTATION) continue;
    const value = view.getUint16(entry + 8, little);
    const isValid = view.getUint16(entry + 2, little) === SHORT && value >= 1 && value <= 8;
    return isValid ? value : 1;
  }
  return 1;
}
