import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ModelProtoSchema,
  type TensorProto,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from "onnx-buf";
import { CLIP_PREPROCESSING, sha256 } from "@clip-e/shared";
import type { Encoder } from "@clip-e/edge/encoder";
import assert from "node:assert/strict";
import { beginBundle, type BundleIdentity } from "../../trainer/bundle_draft.ts";
import type { EncoderFile } from "../../trainer/encoder_file.ts";
import { buildStatisticsEncoder } from "../../trainer/statistics_encoder.ts";

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
  assert.deepEqual(manifest.encoders[0].backends, ["wasm"]);
});
