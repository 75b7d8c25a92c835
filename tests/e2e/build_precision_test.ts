/**
 * `deno task build` makes the variants that backends want, measures what they cost, and serves them.
 */

import { createClassifier } from "@clip-e/edge";
import { folderSource } from "@clip-e/edge/deno";
import type { Manifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import { CLIP_SHAPES, makeTextTower, makeVisionTower } from "../clip_towers.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticClip } from "../synthetic_clip.ts";
import { runTask } from "./task_command.ts";

const folder = await Deno.makeTempDir({ prefix: "clip_e_precision_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

/** Wide enough that weights are most of the file. */
const SHAPE = {
  vision: { hidden: 128, layers: 4, heads: 2, mlp: 512, patch: 8, image: 32 },
  text: { ...CLIP_SHAPES.tiny.text, vocab: 514, context: 77 },
  projection: 32,
};

/** A model in the hub's layout, whose image tower is a transformer. */
async function writeModel(to: string, vision: Uint8Array<ArrayBuffer>): Promise<void> {
  const { files } = makeSyntheticClip({ size: SHAPE.projection });
  await Deno.mkdir(`${to}/onnx`, { recursive: true });
  const text = makeTextTower(SHAPE).model;
  const all = { ...files, "onnx/vision_model.onnx": vision, "onnx/text_model.onnx": text };
  for (const [path, bytes] of Object.entries(all)) await Deno.writeFile(`${to}/${path}`, bytes);
}

async function build(model: string, out: string, ...args: string[]) {
  const run = await runTask("build", [`--model=${model}`, `--out=${out}`, "--json", ...args]);
  return run;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

Deno.test("build makes an int8 encoder by default, which serves and is near the float one", async () => {
  const model = `${folder}/model`;
  await writeModel(model, makeVisionTower(SHAPE).model);
  const both = await build(model, `${folder}/both`, "--precision=int8", "--precision=float32");
  assert.equal(both.code, 0, both.stderr);
  const run = await build(model, `${folder}/int8`);
  assert.equal(run.code, 0, run.stderr);
  const { encoders }: { encoders: Manifest["encoders"] } = JSON.parse(run.stdout);
  assert.deepEqual(encoders.map(({ precision, backends }) => [precision, backends]), [
    ["int8", ["wasm", "native"]],
  ]);
  const [{ parity, file }] = encoders;
  assert.ok(parity && parity.cosineMin > 0.99 && parity.cosineMin < 1, JSON.stringify(parity));
  assert.ok(parity.cosineMedian >= parity.cosineMin);
  assert.ok(parity.tolerance > 1e-3 && parity.tolerance < 0.2, `tolerance ${parity.tolerance}`);
  const { size } = await Deno.stat(`${model}/onnx/vision_model.onnx`);
  assert.ok(file.bytes < 0.4 * size, `${file.bytes} of ${size} bytes`);
  const card = await Deno.readTextFile(`${folder}/int8/README.md`);
  assert.ok(card.includes(parity.cosineMin.toFixed(5)), "the card says what it cost");

  const int8 = await createClassifier({ bundle: folderSource(`${folder}/int8`) });
  assert.equal(int8.model.encoder.precision, "int8");
  assert.deepEqual(int8.model.faults, []);
  const picture = await readPicture("storm.jpg");
  const { embedding } = await int8.embed(picture.slice());
  await Deno.remove(`${folder}/both/int8/encoder.onnx`);
  const float = await createClassifier({ bundle: folderSource(`${folder}/both`) });
  assert.equal(float.model.encoder.precision, "float32", "the next variant serves");
  const expected = await float.embed(picture.slice());
  const near = cosine(embedding, expected.embedding);
  assert.ok(near > 0.99, `cosine ${near}`);
  await int8.close();
  await float.close();
});

Deno.test("build keeps layers in floats that would hurt, and meets the target", async () => {
  const outliers = { layers: [1], channels: 4, factor: 30 };
  const model = `${folder}/outliers`;
  await writeModel(model, makeVisionTower(SHAPE, { outliers }).model);
  const run = await build(model, `${folder}/kept`, "--target-cosine=0.9999");
  assert.equal(run.code, 0, run.stderr);
  const { encoders: [{ precision, parity, file }] } = JSON.parse(run.stdout);
  assert.equal(precision, "int8");
  assert.ok(parity.cosineMin >= 0.9999, `cosine ${parity.cosineMin}`);
  const plain = await build(model, `${folder}/plain`, "--target-cosine=0");
  assert.equal(plain.code, 0, plain.stderr);
  const { encoders: [all] } = JSON.parse(plain.stdout);
  assert.ok(all.parity.cosineMin < 0.9999, `without: ${all.parity.cosineMin}`);
  assert.ok(all.file.bytes < file.bytes, "something was kept");
});

Deno.test("build --with-text makes an int8 text encoder that is near the float one", async () => {
  const model = `${folder}/model`;
  const out = `${folder}/with_text`;
  const run = await build(model, out, "--with-text", "--target-cosine=0.9");
  assert.equal(run.code, 0, run.stderr);
  const { textEncoder }: Manifest = JSON.parse(await Deno.readTextFile(`${out}/manifest.json`));
  assert.ok(textEncoder?.parity, "it says what it cost");
  assert.ok(textEncoder.parity.cosineMin > 0.9, JSON.stringify(textEncoder.parity));
  const float = await Deno.stat(`${model}/onnx/text_model.onnx`);
  assert.ok(textEncoder.file.bytes < 0.8 * float.size, `${textEncoder.file.bytes} bytes`);
  const labels = ["a storm", "a sunny day"];
  const classifier = await createClassifier({ bundle: folderSource(out) });
  const { predictions } = await classifier.classify(await readPicture("storm.jpg"), { labels });
  assert.equal(predictions[0].scores.length, 2);
  await classifier.close();

  const path = `${out}/text/encoder.onnx`;
  await Deno.writeFile(
    path,
    (await Deno.readFile(path)).map((byte, i) => i === 99 ? byte ^ 1 : byte),
  );
  const assets = await runTask("worker:assets", ["--bundle", out]);
  assert.equal(assets.code, 1, "a Worker gets no damaged text encoder");
  assert.match(assets.stderr, /text\/encoder\.onnx has the SHA-256/);

  const near = await build(model, `${folder}/float_text`, "--with-text", "--target-cosine=0.9999");
  assert.equal(near.code, 0, near.stderr);
  assert.match(near.stderr, /the float one is taken/);
  const copied = await Deno.stat(`${folder}/float_text/text/encoder.onnx`);
  assert.equal(copied.size, float.size);
});

Deno.test("build makes 16-bit floats for WebGPU, beside what serves elsewhere", async () => {
  const run = await build(
    `${folder}/model`,
    `${folder}/half`,
    ...["--precision=int8", "--precision=float16"],
  );
  assert.equal(run.code, 0, run.stderr);
  const { encoders: [, half] } = JSON.parse(run.stdout);
  assert.deepEqual([half.precision, half.backends], ["float16", ["webgpu"]]);
  assert.ok(half.parity.cosineMin > 0.99999, `cosine ${half.parity.cosineMin}`);
});

Deno.test("build takes an encoder that is quantised already as it is", async () => {
  const model = `${folder}/quantised`;
  const int8 = await Deno.readFile(`${folder}/int8/int8/encoder.onnx`);
  await writeModel(model, int8);
  const run = await build(model, `${folder}/as_it_is`);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /int8 already/);
  const { encoders: [{ precision, parity }] } = JSON.parse(run.stdout);
  assert.deepEqual([precision, parity], ["int8", undefined]);
  const classifier = await createClassifier({ bundle: folderSource(`${folder}/as_it_is`) });
  await classifier.close();
});

Deno.test("build refuses a precision that it does not know before it fetches anything", async () => {
  const run = await build("no/model", `${folder}/none`, "--precision=int3");
  assert.equal(run.code, 2);
  assert.match(run.stderr, /--precision must be int8, float16, float32, got int3/);
});
