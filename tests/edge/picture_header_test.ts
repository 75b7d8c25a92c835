import assert from "node:assert/strict";
import { readPictureHeader } from "../../edge/decode/picture_header.ts";
import { readPicture } from "../golden_file.ts";
import { seededRandom } from "../random.ts";

/** Bytes of a text, one to a character. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Asserts that bytes are refused with a code and a sentence. */
function assertRefused(bytes: Uint8Array, code: string, message: string): void {
  assert.throws(() => readPictureHeader(bytes), { name: "ClipEError", code, message });
}

const NOT_A_PICTURE = "The bytes are not a picture: send JPEG, PNG or WebP";

Deno.test("readPictureHeader() tells JPEG, PNG and WebP by their first bytes", async () => {
  assert.deepEqual(readPictureHeader(await readPicture("exif_8.jpg")), {
    type: "jpeg",
    width: 75,
    height: 117,
    orientation: 8,
  });
  assert.deepEqual(readPictureHeader(await readPicture("grey_16_bit.png")), {
    type: "png",
    width: 83,
    height: 59,
    orientation: 1,
  });
  assert.deepEqual(readPictureHeader(await readPicture("exif_6.webp")), {
    type: "webp",
    width: 75,
    height: 117,
    orientation: 6,
  });
});

Deno.test("readPictureHeader() reads from the middle of a larger buffer", async () => {
  for (const name of ["exif_3.jpg", "exif_6.png", "exif_6.webp"]) {
    const bytes = await readPicture(name);
    const larger = new Uint8Array(bytes.length + 11).fill(0xff);
    larger.set(bytes, 5);
    assert.deepEqual(
      readPictureHeader(larger.subarray(5, 5 + bytes.length)),
      readPictureHeader(bytes),
    );
  }
});

Deno.test("readPictureHeader() says that there is no picture when there are no bytes", () => {
  assertRefused(new Uint8Array(), "no-picture", "There is no picture: it has 0 bytes");
});

/** First bytes of what people send, and what it is called. */
const OTHER_TYPES: readonly (readonly [start: string, name: string])[] = [
  ["GIF87a", "GIF"],
  ["GIF89a", "GIF"],
  ["\0\0\0\x18ftypheic", "HEIC"],
  ["\0\0\0\x18ftypheix", "HEIC"],
  ["\0\0\0\nftypmif1", "HEIC"],
  ["\0\0\0\x1cftypavif", "AVIF"],
  ["\0\0\0\x1cftypavis", "AVIF"],
  ["\xff\n\xfa", "JPEG XL"],
  ["\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"],
  ["\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"],
  ["\xffO\xffQ", "JPEG 2000"],
  ["II*\0", "TIFF"],
  ["MM\0*", "TIFF"],
  ["BM\x3a\0\0\0\0\0\0\0\x36\0\0\0", "BMP"],
  ["8BPS\0\x01", "PSD"],
  ["%PDF-1.7\n", "PDF"],
  ["<svg>", "SVG"],
  ["\n <svg xmlns='x'>", "SVG"],
  ["<?xml version='1.0'?>\n<svg width='1'>", "SVG"],
  ["<!-- a --><!-- b\n -->\n<svg>", "SVG"],
  ["<?xml version='1.0'?><!-- <svg --><!DOCTYPE svg PUBLIC 'x'>\n<svg\n", "SVG"],
  ["\0\0\0\x20ftypisom", "a video"],
  ["\0\0\0\x14ftypqt  ", "a video"],
];

for (const [start, name] of OTHER_TYPES) {
  Deno.test(`readPictureHeader() names ${name}, which is not served: ${JSON.stringify(start)}`, () => {
    const message = `The picture is ${name}, which is not supported: send JPEG, PNG or WebP`;
    assertRefused(latin1(start), "unsupported-type", message);
    assertRefused(latin1(start + "\0".repeat(1000)), "unsupported-type", message);
  });
}

Deno.test("readPictureHeader() refuses all else as no picture", () => {
  const texts = [
    "x",
    "notes",
    "\xff",
    "\xff\xd8",
    "\xff\xd8\0",
    "\x89PNG",
    "\x89PNG\n\x1a\n\0\0",
    "RIFF\x04\0\0\0WAVE",
    "RIFF\x04\0\0\0WEB",
    "RIFX\x04\0\0\0WEBP",
    "BM",
    "<html><svg>",
    "<!-- <svg> -->",
    "<svgish>",
    "ftypheic",
    "II*",
  ];
  for (const text of texts) assertRefused(latin1(text), "unsupported-type", NOT_A_PICTURE);
});

Deno.test("readPictureHeader() calls a signature alone truncated", () => {
  for (const [start, name] of [["\xff\xd8\xff", "JPEG"], ["\x89PNG\r\n\x1a\n", "PNG"]]) {
    const message = `The ${name} ends before its data does: it was cut off`;
    assertRefused(latin1(start), "truncated", message);
  }
  assertRefused(
    latin1("RIFF\x20\0\0\0WEBP"),
    "truncated",
    "The WebP ends before its data does: it was cut off",
  );
});

Deno.test("readPictureHeader() refuses in no time what looks like a drawing for long", () => {
  const texts = [
    "<!---->".repeat(30),
    "<!-- -->\n".repeat(40) + "<svg",
    "<?xml " + " ".repeat(250),
    " ".repeat(256),
    "<!--".repeat(64),
    "<!DOCTYPE svg ".repeat(20),
  ];
  const start = performance.now();
  for (const text of texts) assertRefused(latin1(text), "unsupported-type", NOT_A_PICTURE);
  const elapsed = performance.now() - start;
  assert.ok(elapsed < 1000, `${elapsed} ms`);
});

/** The pictures in `fixtures/pictures/bad`, and their codes where the header alone gives them away. */
const BAD: Readonly<Record<string, string | undefined>> = {
  "animated.gif": "unsupported-type",
  "animated.webp": "unsupported-type",
  "cmyk.jpg": "unsupported-colour",
  "corrupt.png": undefined,
  "drawing.svg": "unsupported-type",
  "empty.jpg": "no-picture",
  "huge.jpg": undefined,
  "huge.png": undefined,
  "huge.webp": undefined,
  "notes.txt": "unsupported-type",
  "photo.avif": "unsupported-type",
  "photo.heic": "unsupported-type",
  "photo.jxl": "unsupported-type",
  "still.bmp": "unsupported-type",
  "still.gif": "unsupported-type",
  "still.tiff": "unsupported-type",
  "truncated.jpg": "truncated",
  "truncated.png": "truncated",
  "truncated.webp": "truncated",
  "twelve_bit.jpg": "undecodable",
};

for (const [name, code] of Object.entries(BAD)) {
  const outcome = code === undefined ? "passes" : `refuses as ${code}`;
  Deno.test(`readPictureHeader() ${outcome} bad/${name}`, async () => {
    const bytes = await readPicture(`bad/${name}`);
    if (code === undefined) assert.ok(readPictureHeader(bytes).width > 0);
    else assert.throws(() => readPictureHeader(bytes), { name: "ClipEError", code });
  });
}

Deno.test("readPictureHeader() gives the huge sizes that headers claim, for the limit to refuse", async () => {
  const sizes = { "huge.png": 60000, "huge.jpg": 65000, "huge.webp": 16383 };
  for (const [name, side] of Object.entries(sizes)) {
    const { width, height } = readPictureHeader(await readPicture(`bad/${name}`));
    assert.deepEqual([width, height], [side, side], name);
  }
});

/** Small files to damage: every type, with EXIF and without. */
const SMALL = [
  "one_column.jpg",
  "exif_5.jpg",
  "exif_6.jpg",
  "one_pixel.png",
  "exif_6.png",
  "exif_6.webp",
  "lossless_alpha.webp",
];

Deno.test("readPictureHeader() reads or throws a ClipEError on 20,000 damaged files, and always ends", async () => {
  const random = seededRandom(1);
  const files = await Promise.all(SMALL.map(readPicture));
  // Headers are where readers can go wrong: most damage is done there.
  const anywhere = (bytes: Uint8Array) => random.integer(0, bytes.length - 1);
  const nearStart = (bytes: Uint8Array) => random.integer(0, Math.min(bytes.length, 200) - 1);
  const damage: readonly ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>)[] = [
    (bytes) => bytes.with(nearStart(bytes), random.integer(0, 255)),
    (bytes) => bytes.with(anywhere(bytes), random.integer(0, 255)),
    (bytes) => bytes.with(nearStart(bytes), random.pick([0, 1, 0x7f, 0x80, 0xff])),
    (bytes) => bytes.slice(0, random.pick([nearStart, anywhere])(bytes)),
    (bytes) => {
      const [from, length] = [nearStart(bytes), random.integer(1, 40)];
      return new Uint8Array([...bytes.subarray(0, from), ...bytes.subarray(from + length)]);
    },
    (bytes) => {
      const [to, from] = [nearStart(bytes), nearStart(bytes)];
      bytes.copyWithin(to, from, from + random.integer(1, 40));
      return bytes;
    },
    (bytes) => {
      bytes.set(random.bytes(4).subarray(0, bytes.length), 0);
      return bytes;
    },
  ];
  let read = 0;
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    let bytes = random.pick(files).slice();
    for (let i = random.integer(1, 3); i > 0 && bytes.length > 8; i--) {
      bytes = random.pick(damage)(bytes);
    }
    try {
      const { width, height, orientation } = readPictureHeader(bytes);
      assert.ok(Number.isInteger(width) && width >= 1);
      assert.ok(Number.isInteger(height) && height >= 1);
      assert.ok(orientation >= 1 && orientation <= 8);
      read++;
    } catch (error) {
      const name = error instanceof Error && error.name;
      assert.equal(name, "ClipEError", `round ${round}: ${error}`);
      refused++;
    }
  }
  // Neither all sound nor all hopeless: both ways were tried.
  assert.ok(read > 2000 && refused > 2000, `${read} read, ${refused} refused`);
});
