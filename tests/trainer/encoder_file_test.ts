import { CLIP_PREPROCESSING } from "@clip-e/shared";
import assert from "node:assert/strict";
import { openEncoderFile, parsePreprocessing } from "../../trainer/encoder_file.ts";
import { TrainerError } from "../../trainer/errors.ts";
import { buildStatisticsEncoder } from "../../trainer/statistics_encoder.ts";

const CLIP = {
  do_resize: true,
  size: { shortest_edge: 224 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  do_rescale: true,
  rescale_factor: 0.00392156862745098,
  do_normalize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

Deno.test("parsePreprocessing() reads CLIP's own configuration", () => {
  assert.deepEqual(parsePreprocessing("c.json", JSON.stringify(CLIP)), CLIP_PREPROCESSING);
});

Deno.test("parsePreprocessing() reads sizes that are plain numbers", () => {
  const spec = parsePreprocessing("c.json", JSON.stringify({ ...CLIP, size: 256, crop_size: 224 }));
  assert.deepEqual([spec.resize, spec.crop], [256, 224]);
});

const REFUSED: Readonly<Record<string, object>> = {
  resample: { resample: 2 },
  do_center_crop: { do_center_crop: false },
  do_normalize: { do_normalize: false },
  rescale_factor: { rescale_factor: 1 },
  size: { size: { height: 224, width: 224 } },
  crop_size: { crop_size: { height: 224, width: 192 } },
  image_std: { image_std: [1, 0, 1] },
};

for (const [field, change] of Object.entries(REFUSED)) {
  Deno.test(`parsePreprocessing() refuses what is not done here, naming ${field}`, () => {
    assert.throws(
      () => parsePreprocessing("c.json", JSON.stringify({ ...CLIP, ...change })),
      (error) => error instanceof TrainerError && error.message.includes(field),
    );
  });
}

Deno.test("parsePreprocessing() refuses a crop that is larger than the resized picture", () => {
  const config = JSON.stringify({ ...CLIP, crop_size: 300 });
  assert.throws(() => parsePreprocessing("c.json", config), /crop_size/);
});

Deno.test("openEncoderFile() takes CLIP's preprocessing where there is none, and says so", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { mean, std } = CLIP_PREPROCESSING;
    const model = buildStatisticsEncoder({
      size: 224,
      mean: [mean[0], mean[1], mean[2]],
      std: [std[0], std[1], std[2]],
    });
    await Deno.writeFile(`${folder}/encoder.onnx`, model);
    const file = await openEncoderFile(`${folder}/encoder.onnx`);
    assert.deepEqual(file.preprocessing, CLIP_PREPROCESSING);
    assert.match(file.preprocessingFrom, /CLIP's own/);
    assert.equal(file.goldenEmbedding.length, 256);
    await file.encoder.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openEncoderFile() names the file that is not there", async () => {
  await assert.rejects(openEncoderFile("/nowhere/encoder.onnx"), /\/nowhere\/encoder\.onnx/);
});

Deno.test("openEncoderFile() refuses bytes that are not a model", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/encoder.onnx`, "not a model");
    await assert.rejects(openEncoderFile(`${folder}/encoder.onnx`), { code: "invalid-bundle" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const config of [undefined, { ...CLIP, size: 32, crop_size: 32 }]) {
  const what = config ? "of another size than its configuration's" : "of another size than CLIP's";
  Deno.test(`openEncoderFile() says what to mend of an encoder ${what}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { mean, std } = CLIP_PREPROCESSING;
      const path = `${folder}/encoder.onnx`;
      await Deno.writeFile(path, buildStatisticsEncoder({ size: 64, mean, std }));
      if (config) {
        await Deno.writeTextFile(`${folder}/preprocessor_config.json`, JSON.stringify(config));
      }
      const told: string[] = [];
      const open = openEncoderFile(path, { onPreprocessing: (from) => told.push(from) });
      const error = await open.then(() => undefined, (error) => error);
      assert.ok(error instanceof TrainerError, String(error));
      const words = config
        ? ["32 x 32", `is ${folder}/preprocessor_config.json. If`, "Expected: 64"]
        : [
          "224 x 224",
          "CLIP's own, as there is no preprocessor_config.json beside the encoder",
          "Expected: 64",
        ];
      for (const part of [path, ...words]) assert.ok(error.message.includes(part), error.message);
      assert.ok(!error.message.includes("\n"), "one line");
      assert.equal(told.length, 1, "the preprocessing is told of before the encoder is run");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
