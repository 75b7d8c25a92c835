/**
 * What an ONNX model's weights are, so that a bundle says of its encoder what is true.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataType as DataType } from "onnx-buf";
import { TrainerError } from "../errors.ts";

/** What weights are, as a manifest calls it. */
export type OnnxPrecision = "float32" | "float16" | "int8";

const KINDS: ReadonlyMap<number, readonly [precision: OnnxPrecision, width: number]> = new Map([
  [DataType.FLOAT, ["float32", 4]],
  [DataType.FLOAT16, ["float16", 2]],
  [DataType.INT8, ["int8", 1]],
  [DataType.UINT8, ["int8", 1]],
]);

/**
 * Says what most of a model's weights are, by bytes: a quantised model keeps some of them in floats.
 *
 * @param model ONNX bytes
 * @returns `float32` where there are no weights
 * @throws {TrainerError} when the bytes are not ONNX
 */
export function onnxPrecision(model: Uint8Array): OnnxPrecision {
  const bytes: Record<OnnxPrecision, number> = { float32: 0, float16: 0, int8: 0 };
  for (const { dataType, dims } of readInitializers(model)) {
    const [precision, width] = KINDS.get(dataType) ?? [];
    // By shape: the bytes themselves may lie in a file of their own, or in any of several fields.
    if (precision) bytes[precision] += dims.reduce((n, dim) => n * Number(dim), width ?? 0);
  }
  if (bytes.float32 >= bytes.float16 && bytes.float32 >= bytes.int8) return "float32";
  return bytes.float16 >= bytes.int8 ? "float16" : "int8";
}

function readInitializers(model: Uint8Array) {
  try {
    return fromBinary(ModelProtoSchema, model).graph?.initializer ?? [];
  } catch (cause) {
    throw new TrainerError(
      "Cannot read the encoder's weights: it is not an ONNX file. Export it as ONNX",
      { cause },
    );
  }
}
