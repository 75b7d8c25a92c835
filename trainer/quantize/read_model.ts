/**
 * Reads an ONNX file without copying its weights: each initializer's numbers stay a view of the file's bytes, also where
 * they are written as single floats, which a plain reader would take apart into several times their size.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from "onnx-buf";
import { TrainerError } from "../errors.ts";
import { checkWhole } from "./onnx_model.ts";

/** Numbers of the fields that are read apart, as the ONNX schema gives them. */
const GRAPH = ModelProtoSchema.field.graph.number;
const INITIALIZER = GraphProtoSchema.field.initializer.number;
const FLOAT_DATA = TensorProtoSchema.field.floatData.number;

/**
 * Reads a model.
 *
 * @param bytes of an `.onnx` file, which the model goes on using
 * @param name of the file, for messages
 * @throws {TrainerError} when they are not a whole ONNX file
 */
export function readModel(bytes: Uint8Array<ArrayBuffer>, name = "the model"): ModelProto {
  const model = parse(bytes, name);
  try {
    checkWhole(model);
  } catch (error) {
    if (!(error instanceof TrainerError)) throw error;
    throw new TrainerError(error.message.replace("the model", name), { cause: error });
  }
  return model;
}

function parse(bytes: Uint8Array<ArrayBuffer>, name: string): ModelProto {
  try {
    const file = takeOut(bytes, GRAPH);
    const model = fromBinary(ModelProtoSchema, file.rest);
    if (file.taken.length > 0) {
      const { rest, taken } = takeOut(concat(file.taken), INITIALIZER);
      model.graph = fromBinary(GraphProtoSchema, rest);
      model.graph.initializer = taken.map(readTensor);
    }
    return model;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(
      `Cannot read ${name}: it is not an ONNX file, or a damaged one (${why}). Export it again`,
      { cause },
    );
  }
}

function readTensor(bytes: Uint8Array<ArrayBuffer>): TensorProto {
  const { rest, taken } = takeOut(bytes, FLOAT_DATA);
  const tensor = fromBinary(TensorProtoSchema, rest);
  if (taken.length === 0) return tensor;
  // Packed floats are little-endian, one after another: the very bytes of `raw_data`.
  if (tensor.dataType !== DataType.FLOAT) return fromBinary(TensorProtoSchema, bytes);
  tensor.rawData = concat(taken);
  return tensor;
}

/** Takes the occurrences of one field, each with its length before it, out of a message's bytes. */
function takeOut(
  bytes: Uint8Array<ArrayBuffer>,
  field: number,
): { readonly rest: Uint8Array<ArrayBuffer>; readonly taken: Uint8Array<ArrayBuffer>[] } {
  const reader = new BinaryReader(bytes);
  const rest: Uint8Array<ArrayBuffer>[] = [];
  const taken: Uint8Array<ArrayBuffer>[] = [];
  let start = 0;
  while (reader.pos < reader.len) {
    const before = reader.pos;
    const [number, wireType] = reader.tag();
    if (number === field && wireType === WireType.LengthDelimited) {
      rest.push(bytes.subarray(start, before));
      const length = reader.uint32();
      taken.push(bytes.subarray(reader.pos, reader.pos + length));
      start = reader.pos += length;
    } else reader.skip(wireType, number);
  }
  rest.push(bytes.subarray(start));
  return { rest: concat(rest), taken };
}

function concat(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
