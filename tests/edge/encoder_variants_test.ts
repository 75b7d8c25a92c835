/**
 * Variants of the encoder: a quantised one serves only after it came as near to the float one as it was measured to.
 */

import { createClassifier } from "@clip-e/edge";
import { describeFile, type Manifest, writeManifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { ModelProto } from "onnx-buf";
import {
  layOutModel,
  NO_EXTERNAL_DATA,
  quantizeModel,
  readModel,
} from "../../trainer/quantize/mod.ts";
import { readPicture } from "../golden_file.ts";
import { type BundleFiles, makeSyntheticBundle } from "../synthetic_bundle.ts";

const FLOAT = "encoder.onnx";
const INT8 = "encoder.int8.onnx";
const PARITY = {
  float: "0".repeat(64),
  tolerance: 0.05,
  cosineMin: 0.999,
  cosineMedian: 0.999,
  pictures: 1,
};

const memorySource = (files: BundleFiles) => ({
  read: (path: string) => Promise.resolve(files.get(path)),
});

/** The bundle's encoder in 8-bit integers, changed before it is written. */
async function quantize(
  files: BundleFiles,
  change: (proto: ModelProto) => void = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const float = files.get(FLOAT) ?? new Uint8Array();
  const { model, report } = await quantizeModel(
    { proto: readModel(float), external: NO_EXTERNAL_DATA },
    { mode: "int8-dynamic" },
  );
  assert.ok(report.nodes.some(({ done }) => done !== undefined), "something is quantised");
  change(model.proto);
  const parts = await Array.fromAsync(layOutModel(model).model());
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** The bundle with an 8-bit encoder before the float one. */
async function withInt8(int8: Uint8Array<ArrayBuffer>, withFloat = true): Promise<BundleFiles> {
  const { files, manifest } = await makeSyntheticBundle();
  const [float] = manifest.encoders;
  const entry = {
    ...float,
    file: await describeFile(INT8, int8),
    precision: "int8",
    parity: PARITY,
  };
  const changed: Manifest = { ...manifest, encoders: withFloat ? [entry, float] : [entry] };
  return new Map(files).set(INT8, int8).set("manifest.json", writeManifest(changed));
}

Deno.test("createClassifier() serves a quantised encoder that keeps to its measured parity", async () => {
  const { files } = await makeSyntheticBundle();
  const bundle = memorySource(await withInt8(await quantize(files)));
  const classifier = await createClassifier({ bundle });
  assert.equal(classifier.model.encoder.precision, "int8");
  assert.equal(classifier.model.encoder.file, INT8);
  assert.deepEqual(classifier.model.faults, []);
  const float = await createClassifier({ bundle: memorySource(files) });
  const { embedding: a } = await classifier.embed(await readPicture("storm.jpg"));
  const { embedding: b } = await float.embed(await readPicture("storm.jpg"));
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  assert.ok(cosine > 0.999 && cosine < 1, `cosine ${cosine}`);
  await classifier.close();
  await float.close();
});

/** Sets the scale of the first quantised weights to zero. */
function zeroScale(proto: ModelProto): void {
  const scale = proto.graph?.initializer.find(({ name }) => /scale/i.test(name));
  assert.ok(scale, "there is a scale");
  scale.rawData = new Uint8Array(scale.rawData?.length ?? 0);
}

Deno.test("createClassifier() never serves a quantised encoder with a scale set to zero", async () => {
  const { files } = await makeSyntheticBundle();
  const wrong = await quantize(files, zeroScale);
  const classifier = await createClassifier({ bundle: memorySource(await withInt8(wrong)) });
  assert.equal(classifier.model.encoder.precision, "float32");
  const [{ part, detail }] = classifier.model.faults;
  assert.equal(part, `encoders/${INT8}`);
  assert.match(detail, /does not reproduce the golden embedding/);
  await classifier.close();

  const alone = memorySource(await withInt8(wrong, false));
  await assert.rejects(createClassifier({ bundle: alone }), { code: "invalid-bundle" });
});
