/**
 * Variants of the encoder: a quantised one serves only after it came as near to the float one as it was measured to.
 */

import { createApp, createClassifier } from "@clip-e/edge";
import assert from "node:assert/strict";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import { describeFaults } from "../../edge/fault_notes.ts";
import { readPicture } from "../golden_file.ts";
import { INT8, makeQuantizedBundle, zeroScale } from "../quantized_bundle.ts";
import { type BundleFiles, makeSyntheticBundle } from "../synthetic_bundle.ts";

const memorySource = (files: BundleFiles) => ({
  read: (path: string) => Promise.resolve(files.get(path)),
});

Deno.test("createClassifier() serves a quantised encoder that keeps to its measured parity", async () => {
  const classifier = await createClassifier({ bundle: memorySource(await makeQuantizedBundle()) });
  assert.equal(classifier.model.encoder.precision, "int8");
  assert.equal(classifier.model.encoder.file, INT8);
  assert.deepEqual(classifier.model.faults, []);
  assert.deepEqual(describeFaults(classifier.model), []);
  const { files } = await makeSyntheticBundle();
  const float = await createClassifier({ bundle: memorySource(files) });
  const { embedding: a } = await classifier.embed(await readPicture("storm.jpg"));
  const { embedding: b } = await float.embed(await readPicture("storm.jpg"));
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  assert.ok(cosine > 0.999 && cosine < 1, `cosine ${cosine}`);
  await classifier.close();
  await float.close();
});

Deno.test("createClassifier() never serves a quantised encoder with a scale set to zero, and /v1/model says which one serves", async () => {
  const bundle = memorySource(await makeQuantizedBundle({ change: zeroScale }));
  const classifier = await createClassifier({ bundle });
  const app = createApp(classifier);
  const get = async (path: string) =>
    await (await app.fetch(new Request(`http://localhost${path}`))).json();
  const { encoder, faults } = SCHEMAS.ModelAnswer.parse(await get("/v1/model"));
  assert.deepEqual(encoder, {
    file: "encoder.onnx",
    precision: "float32",
    backend: "wasm",
    crop: 32,
  });
  assert.deepEqual(faults.map(({ part, fault }) => [part, fault]), [
    [`encoders/${INT8}`, "invalid"],
  ]);
  assert.match(faults[0].detail, /does not reproduce the golden .* \(on the backend wasm\)$/);
  assert.equal((await get("/readyz")).status, "degraded");
  assert.deepEqual(describeFaults(classifier.model), [
    `invalid encoders/${INT8}: ${faults[0].detail}`,
    "A fallback serves: encoder.onnx (float32), on the backend wasm",
  ]);
  await classifier.close();

  const alone = memorySource(await makeQuantizedBundle({ change: zeroScale, withFloat: false }));
  await assert.rejects(createClassifier({ bundle: alone }), { code: "invalid-bundle" });
});
