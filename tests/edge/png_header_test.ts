import assert from "node:assert/strict";
import { readPngHeader } from "../../edge/decode/png_header.ts";
import { readPicture } from "../golden_file.ts";
import { exifBytes, orientationEntry } from "./exif_bytes.ts";

/** A file: the signature, then the chunks. */
function png(...chunks: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...chunks.flat()]);
}

const uint32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];

/** A chunk; its checksum is the decoder's business. */
function chunk(type: string, content: readonly number[], length = content.length): number[] {
  return [...uint32(length), ...new TextEncoder().encode(type), ...content, 1, 2, 3, 4];
}

function ihdr(width: number, height: number): number[] {
  return chunk("IHDR", [...uint32(width), ...uint32(height), 8, 2, 0, 0, 0]);
}

const IDAT = chunk("IDAT", [9, 8, 7, 6, 5]);
const IEND = chunk("IEND", []);

/** Asserts that a file is refused with a code and a sentence. */
function assertRefused(bytes: Uint8Array, code: string, message: string): void {
  assert.throws(() => readPngHeader(bytes), { name: "ClipEError", code, message });
}

const CUT_OFF = "The PNG ends before its data does: it was cut off";
const undecodable = (why: string) => `The PNG cannot be decoded: ${why}`;

Deno.test("readPngHeader() reads the size", () => {
  const bytes = png(ihdr(300, 70_000), IDAT, IDAT, IEND);
  assert.deepEqual(readPngHeader(bytes), { width: 300, height: 70_000, orientation: 1 });
});

Deno.test("readPngHeader() reads sizes past 2^31, which the limit on pixels then refuses", () => {
  const bytes = png(ihdr(0xffffffff, 0x80000000), IDAT, IEND);
  assert.deepEqual(readPngHeader(bytes), {
    width: 0xffffffff,
    height: 0x80000000,
    orientation: 1,
  });
});

Deno.test("readPngHeader() reads the orientation from eXIf, before or after the data", () => {
  for (const order of ["II", "MM"] as const) {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const exif = chunk("eXIf", [...exifBytes([orientationEntry(orientation)], { order })]);
      for (const chunks of [[exif, IDAT], [IDAT, exif]]) {
        assert.equal(readPngHeader(png(ihdr(3, 2), ...chunks, IEND)).orientation, orientation);
      }
    }
  }
});

Deno.test("readPngHeader() skips chunks that it does not know, whatever they hold", () => {
  const hidden = chunk("tEXt", [...ihdr(9, 9), ...IEND]);
  assert.deepEqual(readPngHeader(png(ihdr(3, 2), hidden, IDAT, IEND)), {
    width: 3,
    height: 2,
    orientation: 1,
  });
});

Deno.test("readPngHeader() takes the still image of an animated PNG", () => {
  const [control, frame] = [chunk("acTL", Array(8).fill(0)), chunk("fcTL", Array(26).fill(0))];
  assert.deepEqual(readPngHeader(png(ihdr(3, 2), control, frame, IDAT, IEND)), {
    width: 3,
    height: 2,
    orientation: 1,
  });
});

Deno.test("readPngHeader() stops at IEND: more bytes may follow", () => {
  assert.equal(readPngHeader(png(ihdr(3, 2), IDAT, IEND, [0, 0])).width, 3);
});

Deno.test("readPngHeader() calls a file that is cut off anywhere truncated", () => {
  const exif = chunk("eXIf", [...exifBytes([orientationEntry(6)])]);
  const bytes = png(ihdr(3, 2), exif, IDAT, IEND);
  for (let length = 8; length < bytes.length; length++) {
    assertRefused(bytes.subarray(0, length), "truncated", CUT_OFF);
  }
});

Deno.test("readPngHeader() calls a chunk that is longer than the file truncated", () => {
  for (const length of [6, 1000, 0x7fffffff, 0xffffffff]) {
    const bytes = png(ihdr(3, 2), chunk("IDAT", [1, 2, 3, 4, 5], length));
    assertRefused(bytes, "truncated", CUT_OFF);
  }
});

Deno.test("readPngHeader() refuses a file that does not begin with IHDR", () => {
  const why = undecodable("it does not begin with IHDR");
  assertRefused(png(IDAT, ihdr(3, 2), IEND), "undecodable", why);
  assertRefused(png(IEND), "undecodable", why);
  for (const length of [0, 12, 14, 0xffffffff]) {
    const wrong = chunk("IHDR", [...uint32(3), ...uint32(2), 8, 2, 0, 0, 0], length);
    assertRefused(png(wrong, IDAT, IEND), "undecodable", why);
  }
});

Deno.test("readPngHeader() refuses a size of nothing", () => {
  for (const [width, height] of [[0, 2], [3, 0], [0, 0]]) {
    const why = undecodable(`its size is ${width} x ${height}`);
    assertRefused(png(ihdr(width, height), IDAT, IEND), "undecodable", why);
  }
});

Deno.test("readPngHeader() reads the drawn pictures, and calls the bad one truncated", async () => {
  assert.deepEqual(readPngHeader(await readPicture("exif_6.png")), {
    width: 75,
    height: 117,
    orientation: 6,
  });
  assert.deepEqual(readPngHeader(await readPicture("interlaced.png")), {
    width: 123,
    height: 77,
    orientation: 1,
  });
  const bytes = await readPicture("bad/truncated.png");
  assert.throws(() => readPngHeader(bytes), { code: "truncated" });
});
