import { create, toBinary } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from "onnx-buf";
import assert from "node:assert/strict";
import { TrainerError } from "../../../trainer/errors.ts";
import { onnxPrecision } from "../../../trainer/encoder/onnx_precision.ts";
import { buildStatisticsEncoder } from "../../../trainer/encoder/statistics_encoder.ts";

/** A model of nothing but weights, each of so many numbers. */
function model(weights: readonly (readonly [dataType: DataType, count: number])[]): Uint8Array {
  const initializer = weights.map(([dataType, count], i) =>
    create(TensorProtoSchema, { name: `w${i}`, dataType, dims: [BigInt(count / 2), 2n] })
  );
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { graph: create(GraphProtoSchema, { initializer }) }),
  );
}

const { FLOAT, FLOAT16, INT8, UINT8, INT64 } = DataType;

const MODELS: readonly (readonly [string, Parameters<typeof model>[0], string])[] = [
  ["floats", [[FLOAT, 10]], "float32"],
  ["half floats", [[FLOAT16, 10], [FLOAT, 4]], "float16"],
  ["signed bytes, with scales in floats", [[INT8, 100], [FLOAT, 4]], "int8"],
  ["bytes of both kinds", [[INT8, 30], [UINT8, 30], [FLOAT, 10]], "int8"],
  ["more bytes of floats than of quantised ones", [[INT8, 100], [FLOAT, 26]], "float32"],
  ["shapes in long integers", [[INT64, 1000], [FLOAT16, 2]], "float16"],
  ["no weights", [], "float32"],
];

for (const [what, weights, precision] of MODELS) {
  Deno.test(`onnxPrecision() calls ${what} ${precision}`, () => {
    assert.equal(onnxPrecision(model(weights)), precision);
  });
}

Deno.test("onnxPrecision() reads an encoder with its weights in it", () => {
  const bytes = buildStatisticsEncoder({ size: 32, mean: [0, 0, 0], std: [1, 1, 1] });
  assert.equal(onnxPrecision(bytes), "float32");
});

Deno.test("onnxPrecision() refuses what is not ONNX", () => {
  assert.throws(() => onnxPrecision(new Uint8Array([0xff, 0xff])), TrainerError);
});
