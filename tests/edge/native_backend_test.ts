/**
 * The native backend against WebAssembly: the same encoder, the same text encoder, the same answers.
 */

import { createClassifier, wasmBackend } from "@clip-e/edge";
import { createWorkerPool, folderSource, openNativeBackend } from "@clip-e/edge/deno";
import { openEncoder } from "@clip-e/edge/encoder";
import { openTextEncoder } from "@clip-e/edge/text";
import assert from "node:assert/strict";
import { CLIP_SHAPES, makeTextTower, makeVisionTower } from "../clip_towers.ts";
import { readPicture } from "../golden_file.ts";
import { isNativeInstalled, unlessInstalled } from "../native_installed.ts";
import { seededRandom } from "../random.ts";

const ignore = !isNativeInstalled;
const unless = unlessInstalled;
const tiny = new URL("../../fixtures/bundles/tiny", import.meta.url).pathname;
const { tiny: SHAPE } = CLIP_SHAPES;

/** The largest difference, relative to the largest value. */
function difference(a: Float32Array, b: Float32Array): number {
  const scale = Math.max(...a.map(Math.abs));
  return Math.max(...a.map((v, i) => Math.abs(v - b[i]))) / scale;
}

function pixels(crop: number): Float32Array {
  const random = seededRandom(5);
  return Float32Array.from({ length: 3 * crop * crop }, () => random.fraction() * 2 - 1);
}

Deno.test({
  name: `openNativeBackend() encodes pictures and texts as WebAssembly does${unless}`,
  ignore,
  async fn() {
    const backend = openNativeBackend({ threads: 1 });
    const crop = SHAPE.vision.image;
    const vision = makeVisionTower(SHAPE);
    const text = makeTextTower(SHAPE, { attentionMask: true });
    const tokens = Array.from({ length: SHAPE.text.context }, (_, i) => i % SHAPE.text.vocab);
    const tokenize = () => ({ ids: tokens, mask: tokens.map(() => 1) });
    const made = [];
    for (const options of [{ backend }, { backend: wasmBackend }]) {
      const encoder = await openEncoder(vision.model, crop, options);
      const textEncoder = await openTextEncoder(text.model, tokenize, options);
      assert.equal(encoder.backend, options.backend.name);
      made.push([await encoder.encode(pixels(crop)), await textEncoder.encode("any")]);
      await encoder.close();
      await textEncoder.close();
    }
    const [native, wasm] = made;
    assert.ok(difference(wasm[0], native[0]) < 1e-5);
    assert.ok(difference(wasm[1], native[1]) < 1e-5);
  },
});

for (const name of ["native", "wasm"] as const) {
  const isNative = name === "native";
  Deno.test({
    name: `the ${name} backend reads weights that lie beside a model${isNative ? unless : ""}`,
    ignore: isNative && ignore,
    async fn() {
      const backend = isNative ? openNativeBackend() : wasmBackend;
      const crop = SHAPE.vision.image;
      const inline = makeVisionTower(SHAPE);
      const split = makeVisionTower(SHAPE, { external: "weights.bin" });
      assert.ok(split.externalData);
      const externalData = [{ path: "weights.bin", bytes: split.externalData }];
      const whole = await openEncoder(inline.model, crop, { backend });
      const apart = await openEncoder(split.model, crop, { backend, externalData });
      assert.deepEqual(await apart.encode(pixels(crop)), await whole.encode(pixels(crop)));
      await assert.rejects(openEncoder(split.model, crop, { backend }), /Cannot use the encoder/);
      await whole.close();
      await apart.close();
    },
  });
}

Deno.test({
  name: `createClassifier() on the native backend answers as on WebAssembly${unless}`,
  ignore,
  async fn() {
    const bundle = folderSource(tiny);
    const wasm = await createClassifier({ bundle });
    const native = await createClassifier({
      bundle,
      backends: [openNativeBackend(), wasmBackend],
    });
    assert.equal(wasm.model.encoder.backend, "wasm");
    assert.equal(native.model.encoder.backend, "native");
    for (const name of ["storm.jpg", "sunset.jpg", "rgba.png", "exif_6.jpg"]) {
      const expected = await wasm.embed(await readPicture(name));
      const { embedding } = await native.embed(await readPicture(name));
      assert.ok(difference(expected.embedding, embedding) < 1e-5, name);
    }
    await wasm.close();
    await native.close();
  },
});

Deno.test("createClassifier() goes on with the next backend where one fails, and says so", async () => {
  const broken = { name: "native", open: () => Promise.reject(new Error("no such card")) } as const;
  const bundle = folderSource(tiny);
  const classifier = await createClassifier({ bundle, backends: [broken, wasmBackend] });
  assert.equal(classifier.model.encoder.backend, "wasm");
  const [{ part, fault, detail }] = classifier.model.faults;
  assert.deepEqual([part, fault], ["encoders/encoder.onnx", "invalid"]);
  assert.match(detail, /no such card \(on the backend native\)/);
  await classifier.close();
  await assert.rejects(createClassifier({ bundle, backends: [broken] }), /no such card/);
});

Deno.test("createClassifier() never uses a backend that computes something else", async () => {
  const wrong = {
    name: "native",
    async open(model: Uint8Array) {
      const session = await wasmBackend.open(model);
      const run: typeof session.run = async (inputs, output) => {
        const { type, data, dims } = await session.run(inputs, output);
        assert.ok(data instanceof Float32Array);
        return { type, dims, data: data.map((v) => v * 1.01) };
      };
      return { ...session, run };
    },
  } as const;
  const classifier = await createClassifier({
    bundle: folderSource(tiny),
    backends: [wrong, wasmBackend],
  });
  assert.equal(classifier.model.encoder.backend, "wasm");
  assert.match(classifier.model.faults[0].detail, /does not reproduce the golden embedding/);
  await classifier.close();
});

Deno.test({
  name: `createWorkerPool() runs natively in several workers at once${unless}`,
  ignore,
  async fn() {
    const pool = await createWorkerPool({ bundle: tiny, workers: 2, backend: "native" });
    assert.equal(pool.model.encoder.backend, "native");
    const one = await pool.classify(await readPicture("storm.jpg"));
    const many = await Promise.all(
      Array.from({ length: 12 }, async () => await pool.classify(await readPicture("storm.jpg"))),
    );
    for (const { predictions } of many) assert.deepEqual(predictions, one.predictions);
    await pool.close();
  },
});
