import assert from "node:assert/strict";
import { readJpegHeader } from "../../edge/decode/jpeg_header.ts";
import { readPicture } from "../golden_file.ts";
import { exifBytes, orientationEntry } from "./exif_bytes.ts";

/** A file: the start of the image, then the parts. */
function jpeg(...parts: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([0xff, 0xd8, ...parts.flat()]);
}

/** A segment: its marker, its length, its content. */
function segment(marker: number, content: readonly number[]): number[] {
  const length = content.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...content];
}

interface Frame {
  readonly marker?: number;
  readonly precision?: number;
  readonly width?: number;
  readonly height?: number;
  readonly components?: number;
}

/** The start of a frame (T.81, B.2.2). */
function frame(options: Frame = {}): number[] {
  const { marker = 0xc0, precision = 8, width = 300, height = 200, components = 3 } = options;
  const each = Array.from({ length: components }, (_, i) => [i + 1, 0x11, 0]).flat();
  return segment(marker, [
    precision,
    height >> 8,
    height & 255,
    width >> 8,
    width & 255,
    components,
    ...each,
  ]);
}

/** A scan's header and coded data, with a stuffed zero and two restart markers. */
const SCAN = [
  ...segment(0xda, [1, 1, 0, 0, 63, 0]),
  ...[1, 2, 0xff, 0, 3, 0xff, 0xd0, 4, 0xff, 0xff, 0xd7, 5, 0xff, 0, 0xff, 0],
];
const END = [0xff, 0xd9];
const APP0 = segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
const TABLES = [...segment(0xdb, [0, ...Array(64).fill(1)]), ...segment(0xc4, Array(20).fill(0))];

/** An APP1 segment with EXIF. */
function exif(orientation: number, order: "II" | "MM" = "II"): number[] {
  const tiff = exifBytes([orientationEntry(orientation)], { order });
  return segment(0xe1, [...new TextEncoder().encode("Exif\0\0"), ...tiff]);
}

const text = (content: string) => [...new TextEncoder().encode(content)];

/** Asserts that a file is refused with a code and a sentence. */
function assertRefused(bytes: Uint8Array, code: string, message: string): void {
  assert.throws(() => readJpegHeader(bytes), { name: "ClipEError", code, message });
}

const CUT_OFF = "The JPEG ends before its data does: it was cut off";
const undecodable = (why: string) => `The JPEG cannot be decoded: ${why}`;

Deno.test("readJpegHeader() reads the size of baseline, extended and progressive frames", () => {
  for (const marker of [0xc0, 0xc1, 0xc2]) {
    const bytes = jpeg(APP0, TABLES, frame({ marker, width: 4000, height: 3000 }), SCAN, END);
    assert.deepEqual(readJpegHeader(bytes), { width: 4000, height: 3000, orientation: 1 });
  }
});

Deno.test("readJpegHeader() reads the largest size, and grey", () => {
  const bytes = jpeg(frame({ width: 65535, height: 65535, components: 1 }), SCAN, END);
  assert.deepEqual(readJpegHeader(bytes), { width: 65535, height: 65535, orientation: 1 });
});

Deno.test("readJpegHeader() reads EXIF's orientation, in either byte order", () => {
  for (const order of ["II", "MM"] as const) {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = jpeg(APP0, exif(orientation, order), TABLES, frame(), SCAN, END);
      assert.equal(readJpegHeader(bytes).orientation, orientation);
    }
  }
});

Deno.test("readJpegHeader() takes the first of two EXIF segments, also after the frame", () => {
  const bytes = jpeg(frame(), exif(6), exif(3), SCAN, END);
  assert.equal(readJpegHeader(bytes).orientation, 6);
});

Deno.test("readJpegHeader() leaves other APP1 segments alone: XMP, and EXIF misspelt", () => {
  const tiff = [...exifBytes([orientationEntry(6)])];
  for (const prefix of ["http://ns.adobe.com/xap/1.0/\0", "Exif\0", "exif\0\0", "EXIF\0\0", ""]) {
    const bytes = jpeg(segment(0xe1, [...text(prefix), ...tiff]), frame(), SCAN, END);
    assert.equal(readJpegHeader(bytes).orientation, 1, prefix);
  }
});

Deno.test("readJpegHeader() skips segments by their length, whatever they hold", () => {
  const thumbnail = [...jpeg(frame({ width: 8, height: 8 }), SCAN, END)];
  const bytes = jpeg(segment(0xe2, thumbnail), segment(0xfe, END), frame(), SCAN, END);
  assert.deepEqual(readJpegHeader(bytes), { width: 300, height: 200, orientation: 1 });
});

Deno.test("readJpegHeader() takes fill bytes before a marker, and markers that stand alone", () => {
  const fill = [0xff, 0xff, 0xff];
  const alone = [0xff, 0x01, 0xff, 0xd8, 0xff, 0xd0, 0xff, 0xd7];
  const bytes = jpeg(fill, APP0, alone, fill, frame(), SCAN, fill, END);
  assert.deepEqual(readJpegHeader(bytes), { width: 300, height: 200, orientation: 1 });
});

Deno.test("readJpegHeader() takes several scans, and tables between them", () => {
  const bytes = jpeg(frame({ marker: 0xc2 }), SCAN, TABLES, SCAN, SCAN, END);
  assert.deepEqual(readJpegHeader(bytes), { width: 300, height: 200, orientation: 1 });
});

Deno.test("readJpegHeader() takes the first of two frames: the second is the decoder's to refuse", () => {
  const bytes = jpeg(frame(), SCAN, frame({ width: 9, height: 9, components: 4 }), END);
  assert.deepEqual(readJpegHeader(bytes), { width: 300, height: 200, orientation: 1 });
});

Deno.test("readJpegHeader() stops at the end of the image: more bytes may follow", () => {
  const bytes = jpeg(frame(), SCAN, END, [0xff, 0xd8, 0xff, 0xc0, 0]);
  assert.deepEqual(readJpegHeader(bytes), { width: 300, height: 200, orientation: 1 });
});

Deno.test("readJpegHeader() takes tables for no frame: DHT, JPG and DAC share its range of markers", () => {
  for (const marker of [0xc4, 0xc8, 0xcc]) {
    const bytes = jpeg(segment(marker, [12, 0, 0, 0, 0, 9]), frame(), SCAN, END);
    assert.deepEqual(readJpegHeader(bytes), { width: 300, height: 200, orientation: 1 });
  }
});

Deno.test("readJpegHeader() calls a file that is cut off anywhere truncated", () => {
  const bytes = jpeg(APP0, exif(6), TABLES, frame(), SCAN, END);
  for (let length = 2; length < bytes.length; length++) {
    assertRefused(bytes.subarray(0, length), "truncated", CUT_OFF);
  }
});

Deno.test("readJpegHeader() calls a segment that is longer than the file truncated", () => {
  assertRefused(jpeg([0xff, 0xe0, 0xff, 0xff, 0, 0]), "truncated", CUT_OFF);
});

Deno.test("readJpegHeader() refuses CMYK, and says what to do", () => {
  assertRefused(
    jpeg(frame({ components: 4 }), SCAN, END),
    "unsupported-colour",
    "The JPEG is CMYK, which is not supported: convert it to RGB",
  );
});

Deno.test("readJpegHeader() refuses lossless, hierarchical and arithmetic-coded frames", () => {
  for (const marker of [0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]) {
    assertRefused(
      jpeg(frame({ marker }), SCAN, END),
      "undecodable",
      undecodable("it is lossless, hierarchical or arithmetic-coded"),
    );
  }
});

Deno.test("readJpegHeader() refuses frames of other depths, sizes and components", () => {
  const cases: readonly (readonly [Frame, string])[] = [
    [{ precision: 12 }, "it has 12 bits a sample, not 8"],
    [{ precision: 0 }, "it has 0 bits a sample, not 8"],
    [{ width: 0 }, "its size is 0 x 200"],
    [{ height: 0 }, "its size is 300 x 0"],
    [{ components: 0 }, "it has 0 colour components, not 1 or 3"],
    [{ components: 2 }, "it has 2 colour components, not 1 or 3"],
    [{ components: 5 }, "it has 5 colour components, not 1 or 3"],
  ];
  for (const [options, why] of cases) {
    assertRefused(jpeg(frame(options), SCAN, END), "undecodable", undecodable(why));
  }
});

Deno.test("readJpegHeader() refuses a frame header that is too short", () => {
  for (let length = 0; length < 6; length++) {
    const short = segment(0xc0, [8, 0, 9, 0, 9, 3].slice(0, length));
    const why = undecodable("its frame header is too short");
    assertRefused(jpeg(short, SCAN, END), "undecodable", why);
  }
});

Deno.test("readJpegHeader() refuses a segment without a length", () => {
  for (const length of [0, 1]) {
    const why = undecodable("a segment has no length");
    assertRefused(jpeg([0xff, 0xe0, 0, length], frame(), SCAN, END), "undecodable", why);
  }
});

Deno.test("readJpegHeader() refuses a file without a frame, and a scan before its frame", () => {
  assertRefused(jpeg(APP0, TABLES, END), "undecodable", undecodable("it has no frame"));
  assertRefused(
    jpeg(TABLES, SCAN, frame(), END),
    "undecodable",
    undecodable("its scan precedes its frame"),
  );
});

Deno.test("readJpegHeader() reads the drawn pictures, and refuses the bad ones", async () => {
  assert.deepEqual(readJpegHeader(await readPicture("exif_6.jpg")), {
    width: 75,
    height: 117,
    orientation: 6,
  });
  assert.deepEqual(readJpegHeader(await readPicture("progressive.jpg")), {
    width: 241,
    height: 161,
    orientation: 1,
  });
  const codes = {
    "cmyk.jpg": "unsupported-colour",
    "truncated.jpg": "truncated",
    "twelve_bit.jpg": "undecodable",
  };
  for (const [name, code] of Object.entries(codes)) {
    const bytes = await readPicture(`bad/${name}`);
    assert.throws(() => readJpegHeader(bytes), { name: "ClipEError", code }, name);
  }
});

Deno.test("readJpegHeader() refuses a small file of very many scans, each of which costs a whole pass", () => {
  const scans = (count: number) => jpeg(APP0, TABLES, frame(), ...Array(count).fill(SCAN), END);
  assert.equal(readJpegHeader(scans(100)).width, 300);
  assert.throws(() => readJpegHeader(scans(101)), { code: "undecodable", message: /scans/ });
});
