/**
 * Both towers in one model, as libraries load them, held against double precision.
 */

import assert from "node:assert/strict";
import * as ort from "onnxruntime-web/wasm";
import {
  layOutModel,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../../trainer/quantize/mod.ts";
import {
  CLIP_SHAPES,
  embedImage,
  embedText,
  makeTextTower,
  makeVisionTower,
} from "../clip_towers.ts";
import { mergeTowers } from "../clip_towers/merge_towers.ts";
import { seededRandom } from "../random.ts";

ort.env.wasm.numThreads = 1;

const SHAPE = CLIP_SHAPES.tiny;
const { vision, text, projection } = SHAPE;
const LOGIT_SCALE = 100;
const END = text.vocab - 1;
const towers = {
  vision: makeVisionTower(SHAPE, { seed: 1 }),
  text: makeTextTower(SHAPE, { seed: 2, attentionMask: true }),
};
const pixels = [1, 2].map((seed) => seededRandom(seed).floats(3 * vision.image ** 2));
/** Padded, as tokenizers pad a batch. */
const texts = [[3, 14, 15, 9, END], [26, 5, END, END, END], [35, 8, 9, END, END]];

type Model = ReturnType<typeof readModel>;

async function bytesOf(proto: Model): Promise<Uint8Array> {
  const layout = layOutModel({ proto, external: NO_EXTERNAL_DATA });
  return await new Response(ReadableStream.from(layout.model())).bytes();
}

async function run(proto: Model, feeds: Record<string, ort.Tensor>) {
  const session = await ort.InferenceSession.create(await bytesOf(proto));
  try {
    const outputs = Object.entries(await session.run(feeds));
    return new Map(outputs.map(([name, { data, dims }]) => {
      assert.ok(data instanceof Float32Array);
      return [name, { data: [...data], dims }];
    }));
  } finally {
    await session.release();
  }
}

const imageFeeds = {
  pixel_values: new ort.Tensor(
    "float32",
    pixels.flatMap((p) => [...p]),
    [pixels.length, 3, vision.image, vision.image],
  ),
};
const int64 = (rows: readonly number[][]) =>
  new ort.Tensor("int64", rows.flat(), [rows.length, rows[0].length]);
const textFeeds = {
  input_ids: int64(texts),
  attention_mask: int64(texts.map((ids) => ids.map((_, i) => i <= ids.indexOf(END) ? 1 : 0))),
};

function unit(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((v) => v / norm);
}

const rowsOf = (values: readonly number[]) =>
  Array.from(
    { length: values.length / projection },
    (_, i) => unit(values.slice(i * projection, (i + 1) * projection)),
  );

function assertClose(actual: readonly number[] | undefined, expected: readonly number[]): void {
  assert.equal(actual?.length, expected.length);
  const error = Math.max(...expected.map((v, i) => Math.abs(v - (actual?.[i] ?? NaN))));
  assert.ok(error < 1e-4 * Math.max(...expected.map(Math.abs)), `off by ${error}`);
}

const cosines = (a: readonly number[][], b: readonly number[][]) =>
  a.flatMap((x) => b.map((y) => x.reduce((sum, v, i) => sum + v * y[i], 0)));

Deno.test("mergeTowers() gives both towers' unit vectors and their logits, either way round", async () => {
  const merged = mergeTowers(
    readModel(towers.vision.model),
    readModel(towers.text.model),
    projection,
    LOGIT_SCALE,
  );
  const outputs = await run(merged, { ...imageFeeds, ...textFeeds });
  const images = pixels.map((p) => unit(embedImage(towers.vision.weights, SHAPE, [...p])));
  const labels = texts.map((ids) => unit(embedText(towers.text.weights, SHAPE, ids)));
  assertClose(outputs.get("image_embeds")?.data, images.flat());
  assertClose(outputs.get("text_embeds")?.data, labels.flat());
  const scale = (values: readonly number[]) => values.map((v) => LOGIT_SCALE * v);
  assertClose(outputs.get("logits_per_image")?.data, scale(cosines(images, labels)));
  assertClose(outputs.get("logits_per_text")?.data, scale(cosines(labels, images)));
  assert.deepEqual(outputs.get("logits_per_image")?.dims, [pixels.length, texts.length]);
});

Deno.test("mergeTowers() computes with quantised towers what they compute apart", async () => {
  const quantized = async (bytes: Uint8Array<ArrayBuffer>) => {
    const model = { proto: readModel(bytes), external: NO_EXTERNAL_DATA };
    return (await quantizeModel(model, { mode: "int8-dynamic" })).model.proto;
  };
  const vision = await quantized(towers.vision.model);
  const text = await quantized(towers.text.model);
  const images = rowsOf((await run(vision, imageFeeds)).get("image_embeds")?.data ?? []);
  const labels = rowsOf((await run(text, textFeeds)).get("text_embeds")?.data ?? []);
  const merged = mergeTowers(vision, text, projection, LOGIT_SCALE);
  const outputs = await run(merged, { ...imageFeeds, ...textFeeds });
  assertClose(outputs.get("image_embeds")?.data, images.flat());
  assertClose(outputs.get("text_embeds")?.data, labels.flat());
});

Deno.test("mergeTowers() refuses towers of different operator sets", () => {
  const vision = readModel(towers.vision.model);
  const text = readModel(towers.text.model);
  text.opsetImport = text.opsetImport.map((set) => ({ ...set, version: 21n }));
  assert.throws(() => mergeTowers(vision, text, projection, LOGIT_SCALE), {
    name: "TypeError",
    message: 'Cannot merge the towers: one uses version 17 of the operator set "", another 21',
  });
});
