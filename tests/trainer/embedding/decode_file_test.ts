import { ClipEError, type Picture, sha256 } from "@clip-e/shared";
import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import assert from "node:assert/strict";
import { decodeFile } from "../../../trainer/embedding/decode_file.ts";
import { readDecodeGoldens, readPicture } from "../../golden_file.ts";

const decoders = createDecoders();
const MAX_PIXELS = 50_000_000;

/** A picture's upright RGB bytes, row by row. */
function rgb({ width, height, data, offset, strideX, strideY }: Picture): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(width * height * 3);
  let o = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = offset + x * strideX + y * strideY;
      bytes[o++] = data[i];
      bytes[o++] = data[i + 1];
      bytes[o++] = data[i + 2];
    }
  }
  return bytes;
}

for (const [name, expected] of await readDecodeGoldens()) {
  Deno.test(`decodePicture() and decodeFile() give Pillow's pixels of ${name}`, async () => {
    const bytes = await readPicture(name);
    const edge = await decodePicture(bytes, decoders, MAX_PIXELS);
    assert.equal(await sha256(rgb(edge)), expected, "the edge's decoder differs");
    const trainer = await decodeFile(bytes, MAX_PIXELS);
    assert.equal(await sha256(rgb(trainer)), expected, "the trainer's decoder differs");
  });
}

const BAD: Readonly<Record<string, string>> = {
  "animated.gif": "unsupported-type",
  "animated.webp": "unsupported-type",
  "cmyk.jpg": "unsupported-colour",
  "corrupt.png": "undecodable",
  "drawing.svg": "unsupported-type",
  "empty.jpg": "no-picture",
  "garbage.jpg": "truncated",
  "huge.jpg": "too-many-pixels",
  "huge.png": "too-many-pixels",
  "huge.webp": "too-many-pixels",
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
  Deno.test(`decodePicture() and decodeFile() refuse ${name} as ${code}`, async () => {
    const bytes = await readPicture(`bad/${name}`);
    const isRefusal = (error: unknown) => error instanceof ClipEError && error.code === code;
    await assert.rejects(decodePicture(bytes, decoders, MAX_PIXELS), isRefusal);
    await assert.rejects(decodeFile(bytes, MAX_PIXELS), isRefusal);
  });
}

Deno.test("decodePicture() still decodes after a thousand damaged pictures", async () => {
  const damaged = await readPicture("bad/corrupt.png");
  for (let i = 0; i < 1000; i++) {
    await assert.rejects(decodePicture(damaged, decoders, MAX_PIXELS));
  }
  const { width } = await decodePicture(await readPicture("rgba.png"), decoders, MAX_PIXELS);
  assert.equal(width, 167);
});

Deno.test("decodePicture() and decodeFile() refuse a JPEG whose end is there but whose middle is not", async () => {
  const whole = await readPicture("storm.jpg");
  const cut = new Uint8Array(whole.length / 2 + 2);
  cut.set(whole.subarray(0, whole.length / 2));
  cut.set([0xff, 0xd9], cut.length - 2);
  await assert.rejects(decodePicture(cut, decoders, MAX_PIXELS), { code: "undecodable" });
  await assert.rejects(decodeFile(cut, MAX_PIXELS), { code: "undecodable" });
});
