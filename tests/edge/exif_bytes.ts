/**
 * EXIF data made by hand, byte by byte, for the tests of whoever reads it.
 */

/** One entry of a TIFF directory. */
export interface TiffEntry {
  /** 0x0112 is the orientation. */
  readonly tag: number;
  /** 3 is SHORT, 4 is LONG. */
  readonly type: number;
  /** How many values it has. */
  readonly count: number;
  /** Its value as a SHORT, in the first two of its four bytes. */
  readonly value: number;
}

/** Options of {@link exifBytes}. */
export interface ExifOptions {
  /** `II` or `MM`. By default `II`. */
  readonly order?: "II" | "MM";
  /** Where the directory is said to begin. By default right after the header. */
  readonly directory?: number;
  /** How many entries the directory says it has. By default as many as it has. */
  readonly count?: number;
}

/** An orientation, as writers write it. */
export const orientationEntry = (value: number): TiffEntry => (
  { tag: 0x0112, type: 3, count: 1, value }
);

/** A TIFF structure with one directory. */
export function exifBytes(
  entries: readonly TiffEntry[],
  options: ExifOptions = {},
): Uint8Array<ArrayBuffer> {
  const { order = "II", directory = 8, count = entries.length } = options;
  const little = order === "II";
  const bytes = new Uint8Array(8 + 2 + entries.length * 12 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(order));
  view.setUint16(2, 42, little);
  view.setUint32(4, directory, little);
  view.setUint16(8, count, little);
  for (const [i, entry] of entries.entries()) {
    const at = 10 + i * 12;
    view.setUint16(at, entry.tag, little);
    view.setUint16(at + 2, entry.type, little);
    view.setUint32(at + 4, entry.count, little);
    view.setUint16(at + 8, entry.value, little);
  }
  return bytes;
}
