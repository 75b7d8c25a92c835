/**
 * A variant's target holds on every picture that it is measured on, though the search looks at a few of them.
 */

import { openEncoder, wasmBackend } from "@clip-e/edge/encoder";
import { CLIP_PREPROCESSING, goldenInput } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { EncoderFile } from "../../../trainer/encoder/encoder_file.ts";
import { makeEncoderVariant, openModel } from "../../../trainer/encoder/encoder_variants.ts";
import { cosine } from "../../../trainer/fidelity/cosines.ts";
import { modelFiles, quantizeModel } from "../../../trainer/quantize/mod.ts";
import { CLIP_SHAPES, makeVisionTower } from "../../clip_towers.ts";
import { CROP, smallPictures } from "../quantize/small_tower.ts";

/** Smaller still than other tests', for a search runs each node by itself. */
const SHAPE = {
  vision: { hidden: 64, layers: 3, heads: 2, mlp: 256, patch: 16, image: CROP },
  text: CLIP_SHAPES.tiny.text,
  projection: 32,
};
const outliers = { layers: [1], channels: 2, factor: 100, rowFactor: 1 / 100 };
const bytes = makeVisionTower(SHAPE, { outliers }).model;
const { inputs } = await smallPictures();

async function embed(
  model: Uint8Array<ArrayBuffer>,
  pictures: readonly Float32Array[],
): Promise<Float32Array[]> {
  const encoder = await openEncoder(model, CROP);
  const embeddings: Float32Array[] = [];
  for (const picture of pictures) embeddings.push(await encoder.encode(picture));
  await encoder.close();
  return embeddings;
}

/** The tower as a build opens it. */
async function openTower(): Promise<EncoderFile> {
  const preprocessing = { ...CLIP_PREPROCESSING, resize: CROP, crop: CROP };
  const [goldenEmbedding] = await embed(bytes, [goldenInput(preprocessing)]);
  const encoder = await openEncoder(bytes, CROP);
  await encoder.close();
  const about = { sha256: "0".repeat(64), preprocessing, preprocessingFrom: "the test" };
  return { bytes, externalData: [], ...about, encoder, goldenEmbedding };
}

Deno.test("makeEncoderVariant() searches again where a picture that the search did not see is too far", async () => {
  const plain = await quantizeModel(openModel({ bytes, externalData: [] }), {
    mode: "int8-dynamic",
    conv: "weights",
  });
  const before = await embed(bytes, inputs);
  const after = await embed((await modelFiles(plain.model)).bytes, inputs);
  const cosines = before.map((row, i) => cosine(row, after[i]));
  const [least, most] = [Math.min(...cosines), Math.max(...cosines)];
  const [hard, easy] = [least, most].map((value) => inputs[cosines.indexOf(value)]);
  const targetCosine = (least + most) / 2;

  // Of 24 pictures the search takes the second, the fourth ...: never the first.
  const pictures = { crop: CROP, inputs: [hard, ...Array.from({ length: 23 }, () => easy)] };
  const steps: string[] = [];
  const { parity, search } = await makeEncoderVariant(await openTower(), "int8", pictures, {
    targetCosine,
    backends: [wasmBackend],
    onStep: (words) => steps.push(words),
  });
  const again = steps.indexOf(
    `On all pictures the cosine falls to ${least.toFixed(5)}: searching with all of them`,
  );
  assert.equal(steps[0], "Embedding 12 pictures with the float encoder");
  assert.equal(steps[again + 1], "Embedding 24 pictures with the float encoder");
  assert.ok(again > 0 && parity && parity.cosineMin >= targetCosine, `${parity?.cosineMin}`);
  assert.equal(parity.pictures, 24);
  assert.ok(parity.kept && search);
  assert.equal(parity.kept.nodes.length, search.nodes.filter(({ isKept }) => isKept).length);
  assert.equal(parity.kept.share, search.keptShare);
});
