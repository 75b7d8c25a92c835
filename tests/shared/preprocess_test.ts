import {
  CLIP_PREPROCESSING,
  normalize,
  type Picture,
  pictureFromRows,
  preprocess,
  resizeAndCrop,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { createDecoders } from "../../edge/decode/decoders.ts";
import { decodePicture } from "../../edge/decode/decode_picture.ts";
import { countDifferences, readPicture, readPreprocessGoldens } from "../golden_file.ts";
import { seededRandom } from "../random.ts";

const goldens = await readPreprocessGoldens();
const decoders = createDecoders();

Deno.test("the goldens cover at least 12 pictures as CLIP sees them, and 6 in each other way", () => {
  for (const interpolation of ["bicubic", "bilinear"]) {
    for (const resizeMode of ["shortest", "squash"]) {
      const way = goldens.filter((golden) =>
        golden.interpolation === interpolation && golden.resizeMode === resizeMode
      );
      const least = interpolation === "bicubic" && resizeMode === "shortest" ? 12 : 6;
      const covered = new Set(way.map(({ picture }) => picture)).size;
      assert.ok(covered >= least, `${interpolation}, ${resizeMode}: ${covered} pictures`);
    }
  }
});

for (const { picture, size, interpolation, resizeMode, width, height, rgb } of goldens) {
  const way = `Pillow's ${interpolation}, ${resizeMode}, to the byte`;
  Deno.test(`resizeAndCrop() equals ${way} on ${picture} at ${size}`, async () => {
    const decoded = await decodePicture(await readPicture(picture), decoders, 5e7);
    assert.deepEqual([decoded.width, decoded.height], [width, height]);
    const spec = { resize: size, crop: size, interpolation, resizeMode };
    const differing = countDifferences(resizeAndCrop(decoded, spec), rgb);
    assert.equal(differing, 0, `${differing} of ${rgb.length} bytes differ`);
  });
}

Deno.test("resizeAndCrop() resizes the shorter side where the mode is not said", () => {
  const picture = noisePicture(30, 20);
  const spec = { resize: 8, crop: 8, interpolation: "bicubic" } as const;
  assert.deepEqual(
    resizeAndCrop(picture, spec),
    resizeAndCrop(picture, { ...spec, resizeMode: "shortest" }),
  );
});

Deno.test("resizeAndCrop() keeps the corners of a squashed picture, which the crop cuts off", () => {
  // Black, with the first and the last tenth of its columns white.
  const data = new Uint8Array(100 * 20 * 3);
  for (let i = 0; i < data.length; i++) {
    const column = Math.floor(i / 3) % 100;
    if (column < 10 || column >= 90) data[i] = 255;
  }
  const picture = pictureFromRows(data, 100, 20, 3);
  const spec = { resize: 10, crop: 10, interpolation: "bilinear" } as const;
  const squashed = resizeAndCrop(picture, { ...spec, resizeMode: "squash" });
  const firstRow = Array.from({ length: 10 }, (_, x) => squashed[x * 3]);
  assert.ok(firstRow[0] > 200 && firstRow[9] > 200, `${firstRow}`);
  assert.deepEqual(firstRow.slice(2, 8), [0, 0, 0, 0, 0, 0]);
  const cropped = resizeAndCrop(picture, { ...spec, resizeMode: "shortest" });
  assert.ok(cropped.every((v) => v === 0));
});

Deno.test("resizeAndCrop() gives one result for a square picture, in either mode", () => {
  const picture = noisePicture(40, 40);
  for (const interpolation of ["bicubic", "bilinear"] as const) {
    const [shortest, squash] = (["shortest", "squash"] as const).map((resizeMode) =>
      resizeAndCrop(picture, { resize: 16, crop: 16, interpolation, resizeMode })
    );
    assert.deepEqual(shortest, squash);
  }
});

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
  const whole = resizeAndCrop(decoded, { ...CLIP_PREPROCESSING, resize: 64, crop: 64 });
  const spec = { ...CLIP_PREPROCESSING, resize: 64, crop: 32 };
  const inner = resizeAndCrop(decoded, spec);
  const rows = Array.from({ length: 32 }, (_, y) => {
    const start = ((y + 16) * 64 + 16) * 3;
    return [...whole.subarray(start, start + 32 * 3)];
  }).flat();
  assert.equal(countDifferences(inner, Uint8Array.from(rows)), 0);
  assert.equal(preprocess(decoded, spec).length, 3 * 32 * 32);
});

Deno.test("preprocess() with mean 0 and deviation 1 gives values in 0..1", () => {
  const spec = {
    ...CLIP_PREPROCESSING,
    resize: 8,
    crop: 8,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  } as const;
  const picture = pictureFromRows(new Uint8Array(10 * 10 * 3).fill(51), 10, 10, 3);
  assert.deepEqual(preprocess(picture, spec), new Float32Array(3 * 8 * 8).fill(0.2));
});

/** A picture of noise. */
function noisePicture(width: number, height: number): Picture {
  return pictureFromRows(seededRandom(7).bytes(width * height * 3), width, height, 3);
}
