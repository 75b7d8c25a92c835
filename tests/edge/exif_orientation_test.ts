import assert from "node:assert/strict";
import { exifOrientation } from "../../edge/decode/exif_orientation.ts";
import { seededRandom } from "../random.ts";
import { exifBytes, orientationEntry } from "./exif_bytes.ts";

const WIDTH = { tag: 0x0100, type: 3, count: 1, value: 6 };
const SOFTWARE = { tag: 0x0131, type: 2, count: 4, value: 0x4141 };

Deno.test("exifOrientation() reads 1 to 8, in either byte order", () => {
  for (const order of ["II", "MM"] as const) {
    for (let value = 1; value <= 8; value++) {
      assert.equal(exifOrientation(exifBytes([orientationEntry(value)], { order })), value, order);
    }
  }
});

Deno.test("exifOrientation() finds the entry among others, wherever it stands", () => {
  for (const order of ["II", "MM"] as const) {
    const entry = orientationEntry(8);
    for (const entries of [[entry, WIDTH], [WIDTH, entry, SOFTWARE], [WIDTH, SOFTWARE, entry]]) {
      assert.equal(exifOrientation(exifBytes(entries, { order })), 8);
    }
  }
});

Deno.test("exifOrientation() takes the first of two", () => {
  assert.equal(exifOrientation(exifBytes([orientationEntry(3), orientationEntry(6)])), 3);
});

Deno.test("exifOrientation() follows the header to a directory further on", () => {
  const [near, far] = [orientationEntry(2), orientationEntry(7)].map((e) => exifBytes([e]));
  const bytes = new Uint8Array([...near, ...far.subarray(8)]);
  assert.equal(exifOrientation(bytes), 2);
  new DataView(bytes.buffer).setUint32(4, near.length, true);
  assert.equal(exifOrientation(bytes), 7);
});

Deno.test("exifOrientation() reads from the middle of a larger buffer", () => {
  const exif = exifBytes([orientationEntry(5)]);
  const larger = new Uint8Array([9, 9, 9, ...exif, 9]);
  assert.equal(exifOrientation(larger.subarray(3, 3 + exif.length)), 5);
});

Deno.test("exifOrientation() is 1 for a value out of range", () => {
  for (const value of [0, 9, 255, 256, 0x0600, 65535]) {
    assert.equal(exifOrientation(exifBytes([orientationEntry(value)])), 1, `${value}`);
  }
});

Deno.test("exifOrientation() is 1 for an entry of another type than SHORT", () => {
  for (const type of [0, 1, 2, 4, 5, 7, 13]) {
    assert.equal(exifOrientation(exifBytes([{ ...orientationEntry(6), type }])), 1, `${type}`);
  }
});

Deno.test("exifOrientation() is 1 where there is no such entry, or no entry", () => {
  assert.equal(exifOrientation(exifBytes([WIDTH, SOFTWARE])), 1);
  assert.equal(exifOrientation(exifBytes([])), 1);
});

Deno.test("exifOrientation() is 1 for a byte order that there is not", () => {
  for (const [first, second] of ["IM", "MI", "II*", "\0\0", "ii"]) {
    const bytes = exifBytes([orientationEntry(6)]);
    bytes.set([first.charCodeAt(0), second.charCodeAt(0)]);
    const isOrder = first === "I" && second === "I";
    assert.equal(exifOrientation(bytes), isOrder ? 6 : 1);
  }
});

Deno.test("exifOrientation() is 1 for a directory that lies outside", () => {
  for (const directory of [33, 34, 1000, 0x7fffffff, 0xffffffff]) {
    assert.equal(exifOrientation(exifBytes([orientationEntry(6)], { directory })), 1);
  }
});

Deno.test("exifOrientation() is 1 when the directory says more entries than there is room for", () => {
  assert.equal(exifOrientation(exifBytes([WIDTH], { count: 65535 })), 1);
  // What stands before the end still counts.
  assert.equal(exifOrientation(exifBytes([WIDTH, orientationEntry(6)], { count: 65535 })), 6);
});

Deno.test("exifOrientation() looks at no more entries than the directory says", () => {
  assert.equal(exifOrientation(exifBytes([WIDTH, orientationEntry(6)], { count: 1 })), 1);
});

Deno.test("exifOrientation() is 1 for data cut off anywhere before the entry's end", () => {
  const exif = exifBytes([orientationEntry(6)]);
  for (let length = 0; length < 22; length++) {
    assert.equal(exifOrientation(exif.subarray(0, length)), 1, `${length}`);
  }
  assert.equal(exifOrientation(exif.subarray(0, 22)), 6);
});

Deno.test("exifOrientation() gives 1 to 8 for any bytes whatever", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 20_000; round++) {
    const order = random.pick(["II", "MM"] as const);
    const exif = exifBytes([WIDTH, orientationEntry(random.integer(1, 8)), SOFTWARE], { order });
    for (let i = random.integer(1, 4); i > 0; i--) {
      exif[random.integer(0, exif.length - 1)] = random.integer(0, 255);
    }
    const orientation = exifOrientation(exif.subarray(0, random.integer(0, exif.length)));
    assert.ok(Number.isInteger(orientation) && orientation >= 1 && orientation <= 8);
  }
});
