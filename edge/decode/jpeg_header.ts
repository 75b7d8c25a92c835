/**
 * A JPEG's header (ITU-T T.81, annex B), and whether the file is whole: the decoder fills what a truncated file lacks with
 * grey and says nothing.
 */

import { ClipEError } from "@clip-e/shared";
import { truncated, undecodable } from "./decode_errors.ts";
import { exifOrientation } from "./exif_orientation.ts";

const SOS = 0xda;
const EOI = 0xd9;
const APP1 = 0xe1;

/**
 * A progressive JPEG has about ten scans. Each one costs a pass over the whole picture, however few bytes it has, so that
 * a small file of thousands would keep a decoder busy for hours.
 */
const MAX_SCANS = 100;

/** Markers without a segment: TEM, RST0 to RST7, SOI. */
function standsAlone(marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

/** Start of a frame, of any process: 0xc0 to 0xcf but for DHT, JPG and DAC. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

/**
 * Reads a JPEG's size and orientation, and walks to its end.
 *
 * @param bytes the whole file
 * @throws {ClipEError} `truncated`, `undecodable` or `unsupported-colour`
 */
export function readJpegHeader(
  bytes: Uint8Array,
): { width: number; height: number; orientation: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size: { width: number; height: number } | undefined;
  let orientation: number | undefined;
  let scans = 0;
  let at = 2;
  while (true) {
    at = nextMarker(bytes, at);
    const marker = bytes[at++];
    if (standsAlone(marker)) continue;
    if (marker === EOI) {
      if (size) return { ...size, orientation: orientation ?? 1 };
      throw undecodable("JPEG", "it has no frame");
    }
    if (at + 2 > bytes.length) throw truncated("JPEG");
    const length = view.getUint16(at);
    if (length < 2) throw undecodable("JPEG", "a segment has no length");
    if (at + length > bytes.length) throw truncated("JPEG");
    const segment = bytes.subarray(at + 2, at + length);
    at += length;
    if (isFrame(marker)) size ??= readFrame(marker, segment);
    else if (marker === APP1 && isExif(segment)) {
      orientation ??= exifOrientation(segment.subarray(6));
    } else if (marker === SOS) {
      if (!size) throw undecodable("JPEG", "its scan precedes its frame");
      if (++scans > MAX_SCANS) throw undecodable("JPEG", `it has more than ${MAX_SCANS} scans`);
    }
  }
}

/** Where the next marker's code stands: past fill bytes and, in a scan, past coded data with its stuffed zeros. */
function nextMarker(bytes: Uint8Array, from: number): number {
  let at = from;
  while (true) {
    at = bytes.indexOf(0xff, at);
    if (at < 0) throw truncated("JPEG");
    while (bytes[at] === 0xff) at++;
    if (at >= bytes.length) throw truncated("JPEG");
    if (bytes[at] !== 0) return at;
  }
}

function isExif(segment: Uint8Array): boolean {
  return String.fromCharCode(...segment.subarray(0, 6)) === "Exif\0\0";
}

function readFrame(marker: number, frame: Uint8Array): { width: number; height: number } {
  if (frame.length < 6) throw undecodable("JPEG", "its frame header is too short");
  // Baseline, extended sequential and progressive, all Huffman-coded: what decoders everywhere agree on.
  if (marker > 0xc2) throw undecodable("JPEG", "it is lossless, hierarchical or arithmetic-coded");
  const precision = frame[0];
  if (precision !== 8) throw undecodable("JPEG", `it has ${precision} bits a sample, not 8`);
  const height = frame[1] * 256 + frame[2];
  const width = frame[3] * 256 + frame[4];
  if (width === 0 || height === 0) throw undecodable("JPEG", `its size is ${width} x ${height}`);
  const components = frame[5];
  if (components === 4) {
    throw new ClipEError(
      "unsupported-colour",
      "The JPEG is CMYK, which is not supported: convert it to RGB",
    );
  }
  if (components !== 1 && components !== 3) {
    throw undecodable("JPEG", `it has ${components} colour components, not 1 or 3`);
  }
  return { width, height };
}
