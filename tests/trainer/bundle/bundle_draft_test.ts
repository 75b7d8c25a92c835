import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ModelProtoSchema,
  type TensorProto,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from "onnx-buf";
import {
  CLIP_PREPROCESSING,
  type CrossEntropyHead,
  findTaxonomy,
  parseManifest,
  sha256,
} from "@clip-e/shared";
import type { Encoder } from "@clip-e/edge/encoder";
import assert from "node:assert/strict";
import { preprocessingOf } from "../../../edge/classifier.ts";
import {
  beginBundle,
  type BundleIdentity,
  finishBundle,
  withHead,
  withMethod,
} from "../../../trainer/bundle/bundle_draft.ts";
import type { EncoderFile } from "../../../trainer/encoder/encoder_file.ts";
import { buildStatisticsEncoder } from "../../../trainer/encoder/statistics_encoder.ts";

const IDENTITY: BundleIdentity = {
  name: "test",
  embeddingSpace: "test-1",
  license: "MIT",
  encoderOrigin: "drawn by lot",
  about: "",
};

const NEVER_RUN: Encoder = {
  backend: "wasm",
  encode: () => Promise.reject(new Error("it is not to be run")),
  close: () => Promise.resolve(),
};

async function encoderFile(weights: readonly TensorProto[]): Promise<EncoderFile> {
  const { mean, std } = CLIP_PREPROCESSING;
  const model = fromBinary(ModelProtoSchema, buildStatisticsEncoder({ size: 32, mean, std }));
  model.graph?.initializer.push(...weights);
  const bytes = toBinary(ModelProtoSchema, model);
  return {
    externalData: [],
    bytes,
    sha256: await sha256(bytes),
    preprocessing: CLIP_PREPROCESSING,
    preprocessingFrom: "CLIP's own",
    encoder: NEVER_RUN,
    goldenEmbedding: new Float32Array(8),
  };
}

for (
  const [precision, dataType] of [["float16", DataType.FLOAT16], ["int8", DataType.INT8]] as const
) {
  Deno.test(`beginBundle() says of an encoder with ${precision} weights that they are`, async () => {
    const weights = create(TensorProtoSchema, { name: "w", dataType, dims: [1_000_000n] });
    const { manifest } = await beginBundle(await encoderFile([weights]), IDENTITY);
    assert.equal(manifest.encoders[0].precision, precision);
  });
}

Deno.test("beginBundle() says of an encoder with float weights that they are", async () => {
  const { manifest } = await beginBundle(await encoderFile([]), IDENTITY);
  assert.equal(manifest.encoders[0].precision, "float32");
  assert.deepEqual(manifest.encoders[0].backends, ["wasm", "native"]);
});

Deno.test("beginBundle() says how pictures are preprocessed, and preprocessingOf() reads it back", async () => {
  const squash = { interpolation: "bilinear", resizeMode: "squash" } as const;
  for (const change of [{}, squash]) {
    const preprocessing = { ...CLIP_PREPROCESSING, ...change };
    const { manifest } = await beginBundle({ ...await encoderFile([]), preprocessing }, IDENTITY);
    assert.deepEqual(preprocessingOf(manifest.encoders[0]), {
      resizeMode: "shortest",
      ...preprocessing,
    });
  }
});

function head(units: number): CrossEntropyHead {
  const layer = (inputs: number, units: number) => ({
    inputs,
    units,
    kernel: new Float32Array(inputs * units),
    bias: new Float32Array(units),
  });
  return { kind: "cross-entropy", img_fc1: layer(8, 3), preds: layer(3, units) };
}

const POLARITY = findTaxonomy("polarity") ?? assert.fail("there is no polarity");
const METHOD = { method: "cross-entropy", temperature: 1 };

Deno.test("finishBundle() leaves out a head whose place another took, and keeps the rest", async () => {
  let draft = await beginBundle(await encoderFile([]), IDENTITY);
  draft = await withHead(draft, "first", head(2), "of old");
  draft = withMethod(draft, POLARITY, { ...METHOD, head: "first" });
  draft = await withHead(draft, "second", head(2), "of late");
  draft = withMethod(draft, POLARITY, { ...METHOD, head: "second" });
  const files = await finishBundle(draft);
  assert.deepEqual([...files.keys()].sort(), [
    "README.md",
    "encoder.onnx",
    "golden.safetensors",
    "heads/second.safetensors",
    "manifest.json",
  ]);
  const manifest = parseManifest(JSON.parse(new TextDecoder().decode(files.get("manifest.json"))));
  assert.deepEqual(manifest.heads.map(({ id }) => id), ["second"]);
  assert.deepEqual(manifest.provenance, { "encoder": "drawn by lot", "heads/second": "of late" });
});

Deno.test("withMethod() orders methods by measured accuracy, those without a measure last", async () => {
  let draft = await beginBundle(await encoderFile([]), IDENTITY);
  draft = await withHead(draft, "first", head(2), "of old");
  const zeroShot = { method: "zero-shot", temperature: 0.01 };
  draft = withMethod(draft, POLARITY, zeroShot);
  draft = withMethod(draft, POLARITY, { ...METHOD, head: "first" });
  const order = () => draft.manifest.taxonomies[0].methods.map(({ method }) => method);
  assert.deepEqual(order(), ["cross-entropy", "zero-shot"]);
  draft = withMethod(draft, POLARITY, { ...zeroShot, figures: { accuracy: 0.6 } });
  assert.deepEqual(order(), ["zero-shot", "cross-entropy"]);
  draft = withMethod(draft, POLARITY, { ...METHOD, head: "first", figures: { accuracy: 0.7 } });
  assert.deepEqual(order(), ["cross-entropy", "zero-shot"]);
});
