/**
 * ONNX tensors as numbers and back: sizes, the several fields that their numbers may lie in, and tensors of our own.
 */

import { create } from "@bufbuild/protobuf";
import { type TensorProto, TensorProto_DataType as DataType, TensorProtoSchema } from "onnx-buf";
import { TrainerError } from "../errors.ts";
import { type ExternalReader, isExternal } from "./onnx_model.ts";

/** Bits of one element; those of types that are not here, strings above all, have no fixed size. */
const BITS: ReadonlyMap<number, number> = new Map([
  [DataType.FLOAT, 32],
  [DataType.UINT8, 8],
  [DataType.INT8, 8],
  [DataType.UINT16, 16],
  [DataType.INT16, 16],
  [DataType.INT32, 32],
  [DataType.INT64, 64],
  [DataType.BOOL, 8],
  [DataType.FLOAT16, 16],
  [DataType.DOUBLE, 64],
  [DataType.UINT32, 32],
  [DataType.UINT64, 64],
  [DataType.COMPLEX64, 64],
  [DataType.COMPLEX128, 128],
  [DataType.BFLOAT16, 16],
  [DataType.FLOAT8E4M3FN, 8],
  [DataType.FLOAT8E4M3FNUZ, 8],
  [DataType.FLOAT8E5M2, 8],
  [DataType.FLOAT8E5M2FNUZ, 8],
  [DataType.UINT4, 4],
  [DataType.INT4, 4],
  [DataType.FLOAT4E2M1, 4],
  [DataType.FLOAT8E8M0, 8],
  [DataType.UINT2, 2],
  [DataType.INT2, 2],
]);

/** A tensor's shape. */
export function shapeOf({ dims }: TensorProto): number[] {
  return dims.map(Number);
}

/** How many elements a shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * Length of a tensor's numbers, in bytes.
 *
 * @throws {TrainerError} when its elements have no fixed size
 */
export function byteLength(tensor: TensorProto): number {
  const bits = BITS.get(tensor.dataType);
  if (bits === undefined) throw unreadable(tensor, "its elements have no fixed size");
  return Math.ceil(sizeOf(shapeOf(tensor)) * bits / 8);
}

/**
 * A tensor's numbers, little-endian, one after another.
 *
 * @throws {TrainerError} when there are more or fewer than its shape says
 */
export async function readBytes(
  tensor: TensorProto,
  external: ExternalReader,
): Promise<Uint8Array> {
  const length = byteLength(tensor);
  const bytes = isExternal(tensor) ? await readExternal(tensor, length, external) : tensor.rawData;
  if (bytes.length !== length) {
    throw unreadable(
      tensor,
      `it holds ${bytes.length} bytes, and its shape [${tensor.dims}] takes ${length}`,
    );
  }
  return bytes;
}

async function readExternal(
  tensor: TensorProto,
  length: number,
  external: ExternalReader,
): Promise<Uint8Array> {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (!location) throw unreadable(tensor, "it does not say in which file");
  const offset = Number(entries.get("offset") ?? 0);
  const said = Number(entries.get("length") ?? length);
  if (!Number.isSafeInteger(offset) || offset < 0 || said !== length) {
    throw unreadable(tensor, `it should be ${length} bytes, not ${said} from ${offset} on`);
  }
  return await external.read(location, offset, length);
}

/**
 * The same for weights that are to be quantised.
 *
 * @throws {TrainerError} when one is not finite, too
 */
export async function readFiniteFloats(
  tensor: TensorProto,
  external: ExternalReader,
): Promise<Float32Array> {
  const floats = await readFloats(tensor, external);
  const i = floats.findIndex((value) => !Number.isFinite(value));
  if (i < 0) return floats;
  throw new TrainerError(
    `Cannot quantise the weights "${tensor.name}": number ${i} is ${
      floats[i]
    }. The model is damaged, or its training ` +
      "diverged",
  );
}

/**
 * A tensor's numbers as 32-bit floats.
 *
 * @param tensor of 32- or 16-bit floats
 * @returns row-major; a copy wherever the bytes do not lie on a boundary of four
 * @throws {TrainerError} when it is of another type, or damaged
 */
export async function readFloats(
  tensor: TensorProto,
  external: ExternalReader,
): Promise<Float32Array> {
  const inFields = tensor.floatData.length || tensor.int32Data.length;
  if (inFields > 0 && inFields !== sizeOf(shapeOf(tensor))) {
    throw unreadable(tensor, `it holds ${inFields} numbers, and its shape is [${tensor.dims}]`);
  }
  if (tensor.dataType === DataType.FLOAT) {
    if (inFields) return Float32Array.from(tensor.floatData);
    const bytes = await readBytes(tensor, external);
    const isAligned = bytes.byteOffset % 4 === 0;
    const { buffer, byteOffset } = isAligned ? bytes : bytes.slice();
    return new Float32Array(buffer, byteOffset, bytes.length / 4);
  }
  if (tensor.dataType === DataType.FLOAT16) {
    if (inFields) {
      return Float32Array.from(new Float16Array(Uint16Array.from(tensor.int32Data).buffer));
    }
    const { buffer } = (await readBytes(tensor, external)).slice();
    return Float32Array.from(new Float16Array(buffer));
  }
  throw unreadable(tensor, `it is of type ${DataType[tensor.dataType]}, not float`);
}

function unreadable({ name }: TensorProto, why: string): TrainerError {
  return new TrainerError(
    `Cannot read the weights "${name}": ${why}. The file is damaged: export it again`,
  );
}

const TYPE_OF_ARRAY = {
  Float32Array: DataType.FLOAT,
  Float16Array: DataType.FLOAT16,
  Int8Array: DataType.INT8,
  Uint8Array: DataType.UINT8,
  BigInt64Array: DataType.INT64,
} as const;

/** Numbers that a tensor can be made of. */
export type TensorValues =
  | Float32Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>;

/**
 * Makes a tensor of the element type of its values.
 *
 * @param name of the initializer
 * @param shape of as many elements as there are values
 * @param values row-major; not copied
 */
export function makeTensor(
  name: string,
  shape: readonly number[],
  values: TensorValues,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: shape.map(BigInt),
    dataType: TYPE_OF_ARRAY[values[Symbol.toStringTag]],
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
}
