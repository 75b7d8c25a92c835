/**
 * CLIP's towers, as the encoders run them: what a small one says is held against double precision, and
 * the true sizes are run once.
 */

import { openEncoder } from "@clip-e/edge/encoder";
import { openTextEncoder } from "@clip-e/edge/text";
import assert from "node:assert/strict";
import * as ort from "onnxruntime-web/wasm";
import {
  CLIP_SHAPES,
  type ClipShape,
  embedImage,
  embedText,
  makeTextTower,
  makeVisionTower,
  outlierChannels,
  type Tower,
} from "../clip_towers.ts";
import { textWeights, visionWeights } from "../clip_towers/weights.ts";
import { seededRandom } from "../random.ts";

ort.env.wasm.numThreads = 1;

const TINY = CLIP_SHAPES.tiny;
const OUTLIERS = { layers: [0, 1], channels: 2, factor: 16 };

function picture({ vision }: ClipShape, seed = 1): Float32Array<ArrayBuffer> {
  return seededRandom(seed).floats(3 * vision.image ** 2).map((v) => 2 * v);
}

/** Random tokens with the vocabulary's last, which ends a text, behind them and as padding. */
function tokenIds({ text }: ClipShape, tokens: number, length = tokens + 1): number[] {
  const random = seededRandom(tokens);
  return Array.from(
    { length },
    (_, i) => i < tokens ? random.integer(0, text.vocab - 2) : text.vocab - 1,
  );
}

function unit(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((v) => v / norm);
}

/** The largest difference, relative to the largest number. */
function distance(actual: ArrayLike<number>, expected: readonly number[]): number {
  assert.equal(actual.length, expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((v, i) => Math.abs(actual[i] - v))) / largest;
}

async function encodeImage(tower: Tower, shape: ClipShape, pixels: Float32Array) {
  const encoder = await openEncoder(tower.model, shape.vision.image);
  try {
    return await encoder.encode(pixels);
  } finally {
    await encoder.close();
  }
}

async function encodeText(
  tower: Tower,
  ids: readonly number[],
  mask: readonly number[] = ids.map(() => 1),
) {
  const encoder = await openTextEncoder(tower.model, () => ({ ids, mask }));
  try {
    return await encoder.encode("the tokens above");
  } finally {
    await encoder.close();
  }
}

/** Runs a tower as it is, without an encoder around it. */
async function run(
  { model, externalData }: Tower,
  feeds: Readonly<Record<string, ort.Tensor>>,
): Promise<Float32Array> {
  const files = externalData ? [{ path: "weights.data", data: externalData }] : [];
  const session = await ort.InferenceSession.create(model, { externalData: files });
  try {
    const [{ data }] = Object.values(await session.run(feeds));
    assert.ok(data instanceof Float32Array);
    return data.slice();
  } finally {
    await session.release();
  }
}

const imageFeeds = ({ vision }: ClipShape, ...pictures: Float32Array[]) => ({
  pixel_values: new ort.Tensor(
    "float32",
    pictures.flatMap((pixels) => [...pixels]),
    [pictures.length, 3, vision.image, vision.image],
  ),
});

const textFeeds = (...texts: readonly number[][]) => ({
  input_ids: new ort.Tensor("int64", texts.flat(), [texts.length, texts[0].length]),
});

Deno.test("makeVisionTower() is CLIP's image tower, as double precision computes it", async () => {
  for (const options of [{}, { seed: 1 }, { outliers: OUTLIERS }]) {
    const tower = makeVisionTower(TINY, options);
    const pixels = picture(TINY);
    const error = distance(
      await encodeImage(tower, TINY, pixels),
      embedImage(tower.weights, TINY, pixels),
    );
    assert.ok(error < 1e-5, `${error} with ${JSON.stringify(options)}`);
  }
});

Deno.test("makeTextTower() is CLIP's text tower, as double precision computes it", async () => {
  const texts = [
    tokenIds(TINY, 1),
    tokenIds(TINY, 9),
    tokenIds(TINY, 9, TINY.text.context),
    tokenIds(TINY, TINY.text.context - 1),
  ];
  for (const options of [{}, { attentionMask: true }, { outliers: OUTLIERS }]) {
    const tower = makeTextTower(TINY, options);
    for (const ids of texts) {
      const mask = ids.map((_, i) => i <= ids.indexOf(TINY.text.vocab - 1) ? 1 : 0);
      const error = distance(
        await encodeText(tower, ids, mask),
        unit(embedText(tower.weights, TINY, ids, mask)),
      );
      assert.ok(error < 1e-5, `${error} with ${JSON.stringify(options)}, ${ids.length} tokens`);
    }
  }
});

Deno.test("makeTextTower() with attentionMask pays no attention to what the mask leaves out", async () => {
  const tower = makeTextTower(TINY, { attentionMask: true });
  const ids = tokenIds(TINY, 9);
  const mask = ids.map((_, i) => i === 2 || i === 5 ? 0 : 1);
  const masked = unit(embedText(tower.weights, TINY, ids, mask));
  assert.ok(distance(await encodeText(tower, ids, mask), masked) < 1e-5);
  assert.ok(distance(await encodeText(tower, ids), masked) > 1e-2, "the mask makes a difference");
  const others = ids.map((id, i) => mask[i] ? id : (id + 1) % 50);
  assert.deepEqual(await encodeText(tower, others, mask), await encodeText(tower, ids, mask));
});

Deno.test("both towers give a batch of two what they give one by one", async () => {
  const vision = makeVisionTower(TINY);
  const pictures = [picture(TINY, 1), picture(TINY, 2)];
  const text = makeTextTower(TINY);
  const texts = [tokenIds(TINY, 3, 12), tokenIds(TINY, 11)];
  const both = [
    await run(vision, imageFeeds(TINY, ...pictures)),
    await run(text, textFeeds(...texts)),
  ];
  const single = [
    pictures.flatMap((pixels) => embedImage(vision.weights, TINY, pixels)),
    texts.flatMap((ids) => embedText(text.weights, TINY, ids)),
  ];
  assert.ok(distance(both[0], single[0]) < 1e-5);
  assert.ok(distance(both[1], single[1]) < 1e-5);
});

Deno.test("both towers say the same with their weights in a file of their own", async () => {
  const feeds = [imageFeeds(TINY, picture(TINY)), textFeeds(tokenIds(TINY, 9))];
  for (const [i, make] of [makeVisionTower, makeTextTower].entries()) {
    const inside = make(TINY);
    const beside = make(TINY, { external: "weights.data" });
    const count = [...inside.weights.values()].reduce((sum, { length }) => sum + length, 0);
    assert.equal(beside.externalData?.byteLength, 4 * count);
    assert.ok(beside.model.length < inside.model.length - 3 * count);
    assert.deepEqual(await run(beside, feeds[i]), await run(inside, feeds[i]));
  }
});

Deno.test("both towers depend on their seed alone", () => {
  for (const make of [makeVisionTower, makeTextTower]) {
    assert.deepEqual(make(TINY, { seed: 3 }), make(TINY, { seed: 3 }));
    assert.notDeepEqual(make(TINY, { seed: 3 }).weights, make(TINY, { seed: 4 }).weights);
  }
});

Deno.test("outliers are a few gains, and the rows behind them, that stand out", () => {
  const { hidden, mlp } = TINY.vision;
  const plain = makeVisionTower(TINY).weights;
  const { weights } = makeVisionTower(TINY, {
    outliers: { layers: [1], channels: 2, factor: 16, rowFactor: 8 },
  });
  const chosen = outlierChannels(hidden, 2);
  assert.deepEqual(chosen, [6, 18]);
  const expectScaled = (name: string, width: number, factor: number) =>
    assert.deepEqual(
      weights.get(name),
      plain.get(name)?.map((v, i) => chosen.includes(Math.floor(i / width)) ? factor * v : v),
      name,
    );
  const layers = "vision_model.encoder.layers";
  expectScaled(`${layers}.1.layer_norm1.weight`, 1, 16);
  expectScaled(`${layers}.1.layer_norm2.weight`, 1, 16);
  for (const name of ["q_proj", "k_proj", "v_proj"]) {
    expectScaled(`${layers}.1.self_attn.${name}.weight`, hidden, 8);
  }
  expectScaled(`${layers}.1.mlp.fc1.weight`, mlp, 8);
  assert.deepEqual(
    weights.get(`${layers}.0.layer_norm1.weight`),
    plain.get(`${layers}.0.layer_norm1.weight`),
  );
});

Deno.test("outliers whose rows are smaller by as much do not change what a tower says", () => {
  const pixels = picture(TINY);
  const plain = embedImage(makeVisionTower(TINY).weights, TINY, pixels);
  const { weights } = makeVisionTower(TINY, { outliers: { ...OUTLIERS, rowFactor: 1 / 16 } });
  assert.ok(distance(embedImage(weights, TINY, pixels), plain) < 1e-12);
});

for (const name of ["vit-8m-16", "vit-b-32"] as const) {
  const shape = CLIP_SHAPES[name];

  Deno.test(`both towers run in the true shape of ${name}`, async () => {
    const vision = makeVisionTower(shape);
    const image = await encodeImage(vision, shape, picture(shape));
    assert.equal(image.length, 512);
    const text = makeTextTower(shape);
    assert.equal((await encodeText(text, tokenIds(shape, 9, 77))).length, 512);

    const spread = Math.hypot(...image) / Math.sqrt(512);
    assert.ok(0.5 < spread && spread < 2, `activations keep a sensible size, not ${spread}`);
  });
}

Deno.test("both towers of vit-b-32 have as many weights as OpenAI's", () => {
  const sizes = [
    ...visionWeights(CLIP_SHAPES["vit-b-32"]),
    ...textWeights(CLIP_SHAPES["vit-b-32"]),
  ].map(({ shape }) => shape.reduce((product, length) => product * length));
  // But for the scale of the logits, which belongs to neither tower.
  assert.equal(sizes.reduce((sum, size) => sum + size), 151_277_313 - 1);
});
