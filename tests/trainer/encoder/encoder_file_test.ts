import { CLIP_PREPROCESSING } from "@clip-e/shared";
import assert from "node:assert/strict";
import { openEncoderFile, parsePreprocessing } from "../../../trainer/encoder/encoder_file.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { buildStatisticsEncoder } from "../../../trainer/encoder/statistics_encoder.ts";

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

/** Of SigLIP: both sides are resized, and nothing is cut off. */
const SIGLIP = {
  do_convert_rgb: null,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_processor_type: "SiglipImageProcessor",
  image_std: [0.5, 0.5, 0.5],
  processor_class: "SiglipProcessor",
  resample: 3,
  rescale_factor: 0.00392156862745098,
  size: { height: 224, width: 224 },
};

/** Of MobileCLIP: bilinear, and bytes are only scaled. */
const MOBILECLIP = {
  crop_size: { height: 256, width: 256 },
  do_center_crop: true,
  do_convert_rgb: true,
  do_normalize: false,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.485, 0.456, 0.406],
  image_processor_type: "CLIPFeatureExtractor",
  image_std: [0.229, 0.224, 0.225],
  resample: 2,
  rescale_factor: 0.00392156862745098,
  size: { shortest_edge: 256 },
};

const parse = (config: object) => parsePreprocessing("c.json", JSON.stringify(config));

// Embedding caches and default embedding spaces are named after it: another text would lose those that exist.
Deno.test("parsePreprocessing() gives, of CLIP's configuration, the JSON that it always gave", () => {
  const { mean, std } = CLIP_PREPROCESSING;
  const expected = { resize: 224, crop: 224, mean, std, interpolation: "bicubic" };
  assert.equal(JSON.stringify(parse(CLIP)), JSON.stringify(expected));
  assert.equal(JSON.stringify(CLIP_PREPROCESSING), JSON.stringify(expected));
});

Deno.test("parsePreprocessing() squashes to a height and width that are equal, as SigLIP does", () => {
  const expected = {
    resize: 224,
    crop: 224,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    interpolation: "bicubic",
    resizeMode: "squash",
  };
  assert.deepEqual(parse(SIGLIP), expected);
  assert.deepEqual(parse({ ...SIGLIP, do_center_crop: false }), expected);
  // A crop that is not done may have any size; one that is done may cut nothing off.
  assert.deepEqual(parse({ ...SIGLIP, do_center_crop: false, crop_size: 192 }), expected);
  const crop = { do_center_crop: true, crop_size: { height: 224, width: 224 } };
  assert.deepEqual(parse({ ...SIGLIP, ...crop }), expected);
});

Deno.test("parsePreprocessing() reads MobileCLIP's: bilinear, and no normalisation is mean 0 and std 1", () => {
  const expected = {
    resize: 256,
    crop: 256,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    interpolation: "bilinear",
  };
  assert.deepEqual(parse(MOBILECLIP), expected);
  const { image_mean: _mean, image_std: _std, ...without } = MOBILECLIP;
  assert.deepEqual(parse(without), expected);
  const said = { do_normalize: true, image_mean: [0, 0, 0], image_std: [1, 1, 1] };
  assert.deepEqual(parse({ ...MOBILECLIP, ...said }), expected);
});

Deno.test("parsePreprocessing() is bicubic where no filter is said", () => {
  const { resample: _, ...without } = CLIP;
  assert.equal(parse(without).interpolation, "bicubic");
});

Deno.test("parsePreprocessing() reads sizes that are plain numbers", () => {
  const spec = parsePreprocessing("c.json", JSON.stringify({ ...CLIP, size: 256, crop_size: 224 }));
  assert.deepEqual([spec.resize, spec.crop], [256, 224]);
});

const REFUSED: readonly (readonly [change: object, words: string])[] = [
  [{ resample: 0 }, "resample is 0 (nearest)"],
  [{ resample: 1 }, "resample is 1 (lanczos)"],
  [{ resample: 4 }, "resample is 4 (box)"],
  [{ resample: 5 }, "resample is 5 (hamming)"],
  [{ resample: 6 }, "resample is 6 (no filter of Pillow's)"],
  [{ resample: "3" }, `resample is "3" (no filter of Pillow's)`],
  [{ do_resize: false }, "do_resize is false"],
  [{ do_center_crop: false }, "do_center_crop is false"],
  [{ do_center_crop: false, size: 224 }, "do_center_crop is false"],
  [{ do_rescale: false }, "do_rescale is false"],
  [{ rescale_factor: 1 }, "rescale_factor is 1,"],
  [{ size: { height: 224, width: 192 } }, `size is {"height":224,"width":192}`],
  [{ size: { longest_edge: 224 } }, `size is {"longest_edge":224}`],
  [{ size: { shortest_edge: 0 } }, `size is {"shortest_edge":0}`],
  [{ size: 0 }, "size is 0"],
  [{ size: undefined }, "size is undefined"],
  [{ crop_size: { height: 224, width: 192 } }, `crop_size is {"height":224,"width":192}`],
  [{ size: { height: 256, width: 256 } }, "only the square of 256 is done here"],
  [{ image_mean: undefined }, "image_mean"],
  [{ image_std: [1, 0, 1] }, "image_std"],
];

for (const [change, words] of REFUSED) {
  Deno.test(`parsePreprocessing() refuses what is not done here, by name: ${words}`, () => {
    assert.throws(
      () => parse({ ...CLIP, ...change }),
      (error) => error instanceof TrainerError && error.message.includes(words),
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
    await assert.rejects(openEncoderFile(`${folder}/encoder.onnx`), /it is not an ONNX file/);
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
