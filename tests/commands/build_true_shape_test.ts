/**
 * `deno task build` of models in the true shapes of CLIP: random weights, and the real tokenizer of
 * `openai/clip-vit-base-patch32`, which lies in a folder `shared` beside the checkout; without it the tests are skipped.
 */

import { type Classifier, createClassifier } from "@clip-e/edge";
import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import { folderSource } from "@clip-e/edge/deno";
import { CLIP_PREPROCESSING, preprocess } from "@clip-e/shared";
import assert from "node:assert/strict";
import {
  CLIP_SHAPES,
  type ClipShape,
  embedImage,
  embedText,
  makeTextTower,
  makeVisionTower,
  type Tower,
} from "../clip_towers.ts";
import { readPicture } from "../golden_file.ts";
import { LocalHub } from "../local_hub.ts";
import { plainClipIds } from "../plain_clip_tokenizer.ts";
import { runTask } from "../e2e/task_command.ts";

const CLIP = new URL("../../../shared/clip/", import.meta.url);
const tokenizer = await Deno.readFile(new URL("tokenizer.json", CLIP)).catch(() => undefined);
const tokenizerConfig = await Deno.readFile(new URL("tokenizer_config.json", CLIP))
  .catch(() => undefined);
const ignore = !tokenizer || !tokenizerConfig;
if (ignore) console.warn(`skipped: CLIP's tokenizer is not in ${CLIP.pathname}`);

const TINY_CLIP = CLIP_SHAPES["vit-8m-16"];
/** The same with an image tower that plain loops compute in a second; all ten layers take a quarter of a minute. */
const ONE_LAYER = { ...TINY_CLIP, vision: { ...TINY_CLIP.vision, layers: 1 } };
const { mean, std } = CLIP_PREPROCESSING;
const LABELS = { sun: "a photo of a sunny beach", storm: "a photo of a storm at sea" };

/** Runs with a folder of its own. */
async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_true_shape_" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type Files = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** The files of a model in the hub's layout, as those of `openai/clip-vit-base-patch32` are. */
function modelFiles(
  { text, projection }: ClipShape,
  vision: Tower,
  textTower: Tower,
): Files {
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return {
    "config.json": json({
      model_type: "clip",
      projection_dim: projection,
      text_config: { max_position_embeddings: text.context, vocab_size: text.vocab },
    }),
    "preprocessor_config.json": json({
      crop_size: 224,
      do_center_crop: true,
      do_normalize: true,
      do_resize: true,
      feature_extractor_type: "CLIPFeatureExtractor",
      image_mean: mean,
      image_std: std,
      resample: 3,
      size: 224,
    }),
    "tokenizer.json": tokenizer ?? new Uint8Array(),
    "tokenizer_config.json": tokenizerConfig ?? new Uint8Array(),
    "onnx/vision_model.onnx": vision.model,
    "onnx/text_model.onnx": textTower.model,
    ...(vision.externalData && { "onnx/vision_model.onnx_data": vision.externalData }),
    ...(textTower.externalData && { "onnx/text_model.onnx_data": textTower.externalData }),
  };
}

async function writeModel(folder: string, files: Files): Promise<void> {
  await Deno.mkdir(`${folder}/onnx`, { recursive: true });
  for (const [path, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${folder}/${path}`, bytes);
  }
}

/** Builds a bundle with one taxonomy more, opens it and looks at it. */
async function withBuilt(
  folder: string,
  model: string,
  look: (classifier: Classifier) => Promise<void>,
): Promise<void> {
  const labels = Object.entries(LABELS).map(([id, prompt]) => ({ id, prompts: prompt }));
  await Deno.writeTextFile(`${folder}/labels.json`, JSON.stringify({ id: "weather", labels }));
  const run = await runTask("build", [
    "--precision=float32",
    `--model=${model}`,
    `--out=${folder}/bundle`,
    `--labels=${folder}/labels.json`,
  ]);
  assert.equal(run.code, 0, run.stderr);
  const classifier = await createClassifier({ bundle: folderSource(`${folder}/bundle`) });
  try {
    await look(classifier);
  } finally {
    await classifier.close();
    await Deno.remove(`${folder}/bundle`, { recursive: true });
  }
}

/** Asserts that a picture gets a score for each of the 25 emotions, and they sum to 1. */
async function assertEmotions(classifier: Classifier): Promise<void> {
  const { predictions } = await classifier.classify(await readPicture("storm.jpg"));
  const scores = predictions.find(({ taxonomy }) => taxonomy === "secondary")?.scores ?? [];
  assert.equal(scores.length, 25);
  const total = scores.reduce((sum, { score }) => sum + score, 0);
  assert.ok(Math.abs(total - 1) < 1e-9, `the sum is ${total}`);
  assert.ok(scores[0].score > scores[24].score, "all scores are equal");
}

/** Asserts that the labels of the test's own have the scores that the text tower has in double precision. */
async function assertTextScores(
  classifier: Classifier,
  { weights }: Tower,
  shape: ClipShape,
): Promise<void> {
  const picture = await readPicture("storm.jpg");
  const { embedding } = await classifier.embed(picture.slice());
  const { predictions: [{ scores }] } = await classifier.classify(picture, {
    taxonomies: ["weather"],
  });
  const parsed = JSON.parse(new TextDecoder().decode(tokenizer));
  // What comes after the end token is padding, which it does not see.
  const logits = Object.values(LABELS).map((text) =>
    100 * cosine(Array.from(embedding), embedText(weights, shape, plainClipIds(parsed, text)))
  );
  const powers = logits.map((z) => Math.exp(z - logits[0]));
  for (const [k, label] of Object.keys(LABELS).entries()) {
    const expected = powers[k] / (powers[0] + powers[1]);
    const score = scores.find((it) => it.label === label)?.score ?? NaN;
    assert.ok(Math.abs(score - expected) < 1e-4, `${label}: ${score}, not ${expected}`);
  }
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Asserts that a picture's embedding is what the image tower makes of it in double precision. */
async function assertEmbedding(
  classifier: Classifier,
  { weights }: Tower,
  shape: ClipShape,
): Promise<void> {
  const picture = await readPicture("storm.jpg");
  const decoded = await decodePicture(picture.slice(), createDecoders(), 1e7);
  const { embedding } = await classifier.embed(picture);
  const expected = embedImage(weights, shape, preprocess(decoded, CLIP_PREPROCESSING));
  const largest = Math.max(...expected.map(Math.abs));
  const error = Math.max(...expected.map((v, i) => Math.abs(embedding[i] - v))) / largest;
  assert.ok(error < 1e-5, `off by ${error}`);
}

Deno.test({
  name: "build makes a bundle of ViT-8M/16 that knows 25 emotions and scores by its text tower",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const text = makeTextTower(TINY_CLIP);
      await writeModel(`${folder}/model`, modelFiles(TINY_CLIP, makeVisionTower(TINY_CLIP), text));
      await withBuilt(folder, `${folder}/model`, async (classifier) => {
        await assertEmotions(classifier);
        await assertTextScores(classifier, text, TINY_CLIP);
      });
    }),
});

Deno.test({
  name: "build keeps what both towers say in double precision, of one that asks for attention_mask",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const vision = makeVisionTower(ONE_LAYER);
      const text = makeTextTower(ONE_LAYER, { attentionMask: true });
      await writeModel(`${folder}/model`, modelFiles(ONE_LAYER, vision, text));
      await withBuilt(folder, `${folder}/model`, async (classifier) => {
        await assertEmotions(classifier);
        await assertTextScores(classifier, text, ONE_LAYER);
        await assertEmbedding(classifier, vision, ONE_LAYER);
      });
    }),
});

Deno.test({
  name: "build makes a bundle of ViT-B/32, 600 MB of weights, that answers a picture",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const shape = CLIP_SHAPES["vit-b-32"];
      const files = modelFiles(shape, makeVisionTower(shape), makeTextTower(shape));
      await writeModel(`${folder}/model`, files);
      await withBuilt(folder, `${folder}/model`, assertEmotions);
    }),
});

Deno.test({
  name: "build takes a model from a folder and from a hub whose weights lie in files beside it",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const vision = makeVisionTower(ONE_LAYER, { external: "vision_model.onnx_data" });
      const text = makeTextTower(ONE_LAYER, { external: "text_model.onnx_data" });
      const files = modelFiles(ONE_LAYER, vision, text);
      await writeModel(`${folder}/model`, files);
      await withBuilt(folder, `${folder}/model`, async (classifier) => {
        await assertTextScores(classifier, text, ONE_LAYER);
        await assertEmbedding(classifier, vision, ONE_LAYER);
      });

      await using hub = await LocalHub.start([{ name: "someone/clip-beside", files }]);
      const settings = { HF_ENDPOINT: hub.endpoint, HF_HOME: `${folder}/cache` };
      for (const [name, value] of Object.entries(settings)) Deno.env.set(name, value);
      try {
        await withBuilt(folder, "someone/clip-beside", assertEmotions);
      } finally {
        for (const name of Object.keys(settings)) Deno.env.delete(name);
      }
    }),
});
