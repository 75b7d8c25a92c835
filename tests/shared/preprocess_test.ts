import { CLIP_PREPROCESSING, normalize, preprocess, resizeAndCrop } from "@clip-e/shared";
import assert from "node:assert/strict";
import { createDecoders } from "../../edge/decode/decoders.ts";
import { decodePicture } from "../../edge/decode/decode_picture.ts";
import { countDifferences, readPicture, readPreprocessGoldens } from "../golden_file.ts";

const goldens = await readPreprocessGoldens();
const decoders = createDecoders();

Deno.test("the goldens cover at least 12 pictures", () => {
  assert.ok(new Set(goldens.map(({ picture }) => picture)).size >= 12);
});

for (const { picture, size, width, height, rgb } of goldens) {
  Deno.test(`resizeAndCrop() equals Pillow to the byte on ${picture} at ${size}`, async () => {
    const decoded = await decodePicture(await readPicture(picture), decoders, 5e7);
    assert.deepEqual([decoded.width, decoded.height], [width, height]);
    const differing = countDifferences(resizeAndCrop(decoded, { resize: size, crop: size }), rgb);
    assert.equal(differing, 0, `${differing} of ${rgb.length} bytes differ`);
  });
}

Deno.test("normalize() gives planes of (value / 255 - mean) / std", () => {
  const { mean, std } = CLIP_PREPROCESSING;
  const rgb = Uint8Array.of(0, 128, 255, 10, 20, 30);
  const planes = normalize(rgb, CLIP_PREPROCESSING);
  const expected = [0, 10, 128, 20, 255, 30].map((value, i) => {
    const channel = Math.floor(i / 2);
    return (value / 255 - mean[channel]) / std[channel];
  });
  expected.forEach((value, i) => assert.ok(Math.abs(planes[i] - value) < 1e-6));
});

Deno.test("preprocess() crops the middle when the crop is smaller than the resized picture", async () => {
  const decoded = await decodePicture(await readPicture("odd_size.jpg"), decoders, 5e7);
  const whole = resizeAndCrop(decoded, { resize: 64, crop: 64 });
  const spec = { ...CLIP_PREPROCESSING, resize: 64, crop: 32 };
  const inner = resizeAndCrop(decoded, spec);
  const rows = Array.from({ length: 32 }, (_, y) => {
    const start = ((y + 16) * 64 + 16) * 3;
    return [...whole.subarray(start, start + 32 * 3)];
  }).flat();
  assert.equal(countDifferences(inner, Uint8Array.from(rows)), 0);
  assert.equal(preprocess(decoded, spec).length, 3 * 32 * 32);
});
