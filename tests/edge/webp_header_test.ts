import assert from "node:assert/strict";
import { readWebpHeader } from "../../edge/decode/webp_header.ts";
import { readPicture } from "../golden_file.ts";
import { exifBytes, orientationEntry } from "./exif_bytes.ts";

const uint16 = (n: number) => [n & 255, (n >>> 8) & 255];
const uint24 = (n: number) => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255];
const uint32 = (n: number) => [...uint16(n & 0xffff), ...uint16(n >>> 16)];
const text = (content: string) => [...new TextEncoder().encode(content)];

/** A file: RIFF, its size, WEBP, then the chunks. */
function webp(...chunks: readonly (readonly number[])[]): Uint8Array {
  const content = [...text("WEBP"), ...chunks.flat()];
  return Uint8Array.from([...text("RIFF"), ...uint32(content.length), ...content]);
}

/** A chunk, padded to an even length. */
function chunk(type: string, content: readonly number[]): number[] {
  const padding = content.length % 2 === 0 ? [] : [0];
  return [...text(type), ...uint32(content.length), ...content, ...padding];
}

/** A lossy frame's header (RFC 6386, 9.1): the two top bits of each side are a scale. */
function vp8(width: number, height: number, scale = 0): number[] {
  const sides = [width | (scale << 14), height | (scale << 14)];
  return chunk("VP8 ", [0x50, 1, 0, 0x9d, 0x01, 0x2a, ...sides.flatMap(uint16), 7, 7, 7]);
}

/** A lossless frame's header (RFC 9649, 3.4): 14 bits each for the sides less 1, then a bit for alpha, 3 of a version. */
function vp8l(width: number, height: number, hasAlpha = false): number[] {
  const bits = (width - 1) | ((height - 1) << 14) | (hasAlpha ? 1 << 28 : 0);
  return chunk("VP8L", [0x2f, ...uint32(bits >>> 0), 7, 7, 7]);
}

const ANIMATION = 0x02;
const EXIF = 0x08;

/** The extended header (RFC 9649, 2.7.1.1): flags, then the canvas's sides less 1. */
function vp8x(width: number, height: number, flags = 0): number[] {
  return chunk("VP8X", [flags, 0, 0, 0, ...uint24(width - 1), ...uint24(height - 1)]);
}

/** Asserts that a file is refused with a code and a sentence. */
function assertRefused(bytes: Uint8Array, code: string, message: string): void {
  assert.throws(() => readWebpHeader(bytes), { name: "ClipEError", code, message });
}

const CUT_OFF = "The WebP ends before its data does: it was cut off";

Deno.test("readWebpHeader() reads the size of a lossy picture, without the scale", () => {
  for (const [width, height] of [[1, 1], [300, 200], [16383, 16383], [256, 255]]) {
    for (const scale of [0, 3]) {
      assert.deepEqual(readWebpHeader(webp(vp8(width, height, scale))), {
        width,
        height,
        orientation: 1,
      });
    }
  }
});

Deno.test("readWebpHeader() reads the size of a lossless picture, without the alpha bit", () => {
  for (const [width, height] of [[1, 1], [300, 200], [16384, 16384], [1, 16384], [16384, 1]]) {
    for (const hasAlpha of [false, true]) {
      assert.deepEqual(readWebpHeader(webp(vp8l(width, height, hasAlpha))), {
        width,
        height,
        orientation: 1,
      });
    }
  }
});

Deno.test("readWebpHeader() reads the size of the canvas of an extended picture", () => {
  for (const [width, height] of [[1, 1], [300, 200], [0x123456, 0xfedcba], [1 << 24, 1 << 24]]) {
    assert.deepEqual(readWebpHeader(webp(vp8x(width, height), vp8(9, 9))), {
      width,
      height,
      orientation: 1,
    });
  }
});

Deno.test("readWebpHeader() reads the orientation from EXIF, also with JPEG's prefix", () => {
  for (const prefix of ["", "Exif\0\0"]) {
    for (const order of ["II", "MM"] as const) {
      for (let orientation = 1; orientation <= 8; orientation++) {
        const tiff = [...exifBytes([orientationEntry(orientation)], { order })];
        const exif = chunk("EXIF", [...text(prefix), ...tiff]);
        const bytes = webp(vp8x(30, 20, EXIF), vp8(30, 20), exif);
        assert.deepEqual(readWebpHeader(bytes), { width: 30, height: 20, orientation });
      }
    }
  }
});

Deno.test("readWebpHeader() steps over chunks that it does not know, of even and of odd length", () => {
  for (const length of [0, 1, 2, 7, 8]) {
    const bytes = webp(chunk("ICCP", Array(length).fill(0x56)), vp8l(30, 20));
    assert.deepEqual(readWebpHeader(bytes), { width: 30, height: 20, orientation: 1 });
  }
});

Deno.test("readWebpHeader() takes every flag but that of animation", () => {
  const bytes = webp(vp8x(30, 20, 0xff & ~ANIMATION), vp8(30, 20));
  assert.deepEqual(readWebpHeader(bytes), { width: 30, height: 20, orientation: 1 });
});

Deno.test("readWebpHeader() refuses animation, even cut off", () => {
  const bytes = webp(vp8x(30, 20, ANIMATION), chunk("ANIM", [0, 0, 0, 0, 0, 0]), vp8(30, 20));
  for (const part of [bytes, bytes.subarray(0, 30)]) {
    assertRefused(
      part,
      "unsupported-type",
      "The picture is an animated WebP, which is not supported: send JPEG, PNG or WebP",
    );
  }
});

Deno.test("readWebpHeader() calls a file that is cut off anywhere truncated", () => {
  const exif = chunk("EXIF", [...exifBytes([orientationEntry(6)])]);
  const bytes = webp(vp8x(30, 20, EXIF), vp8(30, 20), exif);
  for (let length = 12; length < bytes.length; length++) {
    assertRefused(bytes.subarray(0, length), "truncated", CUT_OFF);
  }
});

Deno.test("readWebpHeader() looks no further than the size in its first bytes says", () => {
  const bytes = Uint8Array.from([...webp(vp8(30, 20)), ...vp8x(9, 9, ANIMATION)]);
  assert.deepEqual(readWebpHeader(bytes), { width: 30, height: 20, orientation: 1 });
});

Deno.test("readWebpHeader() refuses a file without a picture, or with too short a header", () => {
  const message = "The WebP cannot be decoded: it holds no picture";
  assertRefused(webp(), "undecodable", message);
  assertRefused(webp(chunk("EXIF", [1, 2, 3, 4])), "undecodable", message);
  assertRefused(webp(chunk("VP8 ", Array(9).fill(1))), "undecodable", message);
  assertRefused(webp(chunk("VP8L", [0x2f, 1, 1, 1])), "undecodable", message);
  assertRefused(webp(chunk("VP8X", Array(9).fill(0))), "undecodable", message);
  assertRefused(webp(chunk("VP8X", [])), "undecodable", message);
});

Deno.test("readWebpHeader() refuses a size of nothing", () => {
  for (const [width, height] of [[0, 20], [30, 0], [0, 0]]) {
    const message = `The WebP cannot be decoded: its size is ${width} x ${height}`;
    assertRefused(webp(vp8(width, height)), "undecodable", message);
  }
});

Deno.test("readWebpHeader() reads a lossless header of five bytes", () => {
  assert.deepEqual(readWebpHeader(webp(chunk("VP8L", [0x2f, 0, 0, 0, 0]))), {
    width: 1,
    height: 1,
    orientation: 1,
  });
});

Deno.test("readWebpHeader() reads the drawn pictures, and refuses the bad ones", async () => {
  const sizes = {
    "lossy.webp": { width: 211, height: 141, orientation: 1 },
    "lossless_alpha.webp": { width: 117, height: 75, orientation: 1 },
    "exif_6.webp": { width: 75, height: 117, orientation: 6 },
  };
  for (const [name, header] of Object.entries(sizes)) {
    assert.deepEqual(readWebpHeader(await readPicture(name)), header, name);
  }
  const codes = { "animated.webp": "unsupported-type", "truncated.webp": "truncated" };
  for (const [name, code] of Object.entries(codes)) {
    const bytes = await readPicture(`bad/${name}`);
    assert.throws(() => readWebpHeader(bytes), { name: "ClipEError", code }, name);
  }
});
