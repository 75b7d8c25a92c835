import assert from "node:assert/strict";
import { isKnown, readRange } from "../../edge/app/file_answer.ts";

Deno.test("readRange() reads a single range, from the front, the middle or the end", () => {
  for (
    const [header, start, end] of [
      ["bytes=0-0", 0, 1],
      ["bytes=10-19", 10, 20],
      ["bytes=10-", 10, 100],
      ["bytes=90-1000", 90, 100],
      ["bytes=-10", 90, 100],
      ["bytes=-1000", 0, 100],
      ["Bytes= 1-2", 1, 3],
    ] as const
  ) {
    assert.deepEqual(readRange(header, 100), { start, end }, header);
  }
});

Deno.test("readRange() gives an empty range where the file has none of it", () => {
  for (const header of ["bytes=100-", "bytes=100-200", "bytes=-0", `bytes=${"9".repeat(400)}-`]) {
    const range = readRange(header, 100);
    assert.ok(range && range.start >= range.end, header);
  }
  assert.deepEqual(readRange("bytes=0-", 0), { start: 0, end: 0 });
});

Deno.test("readRange() leaves what it need not know to the whole file", () => {
  for (
    const header of [
      undefined,
      "",
      "bytes",
      "bytes=-",
      "bytes=a-b",
      "bytes=5-1",
      "bytes=0-1,5-6",
      "bytes=0x1-0x2",
      "bytes=1.5-2",
      "bytes=--1",
      "items=0-1",
    ]
  ) {
    assert.equal(readRange(header, 100), undefined, String(header));
  }
});

Deno.test("isKnown() finds a tag in a list, weak or strong, and takes * for any", () => {
  for (const header of ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a"', "*", ' "a" ']) {
    assert.ok(isKnown(header, '"a"'), header);
    assert.ok(isKnown(header, 'W/"a"'), header);
  }
  for (const header of [undefined, "", "a", '"b"', '"ab"', '"A"']) {
    assert.ok(!isKnown(header, '"a"'), String(header));
  }
});
