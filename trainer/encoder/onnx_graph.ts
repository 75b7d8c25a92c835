/**
 * A small writer of ONNX models, for the graphs that the project builds itself. It exists so that a
 * file that builds a graph reads as a list of operators, and so that a slip (a name that nothing
 * makes, a shape that does not fit its numbers) is an error where it was made, not in a runtime
 * that loads the file later. It knows names, element types and shapes, not the operators: whether
 * `Conv` takes these inputs is for the runtime to say.
 *
 * Source of the format: the ONNX specification, IR version 8, operator set 17, default domain.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";

/** IR version of the files: the one that ONNX released together with operator set 17. */
export const ONNX_IR_VERSION = 8;

/** Operator set of the files. */
export const ONNX_OPSET = 17;

/** What a tensor's elements are. */
export type OnnxElement = "float32" | "int64";

/**
 * A tensor's shape: a number is a fixed length, a string names a length that the caller of the
 * model chooses.
 */
export type OnnxShape = readonly (number | string)[];

/**
 * One attribute of an operator, with its ONNX type said, for a bare `1` could be an int or a float.
 */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly string: string };

/** Where the numbers of a constant lie that are not in the model's own file. */
export interface OnnxLocation {
  /** The other file, by its path from the model's folder. */
  readonly location: string;
  /** Where in that file the numbers start, in bytes. */
  readonly offset: number;
}

const DATA_TYPE: Readonly<Record<OnnxElement, DataType>> = {
  float32: DataType.FLOAT,
  int64: DataType.INT64,
};

/** Bytes of one element. */
const WIDTH: Readonly<Record<OnnxElement, number>> = { float32: 4, int64: 8 };

/**
 * An ONNX model in the making. Values are known by name, and a name must exist before a node reads
 * it, so the nodes are in running order by construction, as the format asks.
 *
 * @example
 * ```ts
 * const graph = new OnnxGraph("double");
 * const x = graph.input("x", ["batch", 3]);
 * const two = graph.float32("two", [], [2]);
 * graph.output(graph.node("Mul", [x, two], "y"), ["batch", 3]);
 * const bytes = graph.toBytes();
 * ```
 */
export class OnnxGraph {
  readonly #name: string;
  readonly #values = new Set<string>();
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #nodes: NodeProto[] = [];

  /**
   * @param name the graph's name, for people who open the file
   * @throws {TypeError} when the name is empty
   */
  constructor(name: string) {
    if (name === "") throw new TypeError("Cannot start an ONNX graph: its name is empty");
    this.#name = name;
  }

  /**
   * Declares an input of the model.
   *
   * @param name a new name
   * @param shape its shape, `["batch", 3, 64, 64]` for example
   * @param element its element type
   * @returns the name
   * @throws {TypeError} when the name is empty or taken
   * @throws {RangeError} when a length is not a positive integer, or the name of a length is empty
   */
  input(name: string, shape: OnnxShape, element: OnnxElement = "float32"): string {
    const info = this.#describe(`Cannot add the input "${name}"`, name, shape, element);
    this.#define("input", name);
    this.#inputs.push(info);
    return name;
  }

  /**
   * Declares an output of the model, by the name of a value that exists.
   *
   * @param name a value of this graph that is no output yet
   * @param shape its shape
   * @param element its element type
   * @throws {TypeError} when nothing makes the value, or it is an output already
   * @throws {RangeError} when a length is not a positive integer, or the name of a length is empty
   */
  output(name: string, shape: OnnxShape, element: OnnxElement = "float32"): void {
    const attempt = `Cannot add the output "${name}"`;
    if (!this.#values.has(name)) {
      throw new TypeError(`${attempt}: nothing in the graph makes it; add its node first`);
    }
    if (this.#outputs.some((output) => output.name === name)) {
      throw new TypeError(`${attempt}: it is an output already; declare each output once`);
    }
    this.#outputs.push(this.#describe(attempt, name, shape, element));
  }

  /**
   * Adds a constant of 32-bit floats.
   *
   * @param name a new name
   * @param shape its shape; `[]` for a single number
   * @param values row-major, rounded to float32; a `Float32Array` is not copied before `toBytes()`,
   *   so leave it as it is until then
   * @returns the name
   * @throws {TypeError} when the name is empty or taken
   * @throws {RangeError} when the shape does not hold that many values, or a value is not finite in
   *   float32
   */
  float32(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    const attempt = checkConstant("float32", name, shape, values.length);
    const floats = isFloat32Array(values) ? values : Float32Array.from(values);
    for (let i = 0; i < floats.length; i++) {
      if (!Number.isFinite(floats[i])) throw unfit(attempt, "float32", values, i);
    }
    return this.#initialize("float32", name, shape, { rawData: bytesOf(floats) });
  }

  /**
   * Adds a constant of 64-bit integers.
   *
   * @param name a new name
   * @param shape its shape; `[]` for a single number
   * @param values row-major, safe integers
   * @returns the name
   * @throws {TypeError} when the name is empty or taken
   * @throws {RangeError} when the shape does not hold that many values, or a value is not a safe
   *   integer
   */
  int64(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    const attempt = checkConstant("int64", name, shape, values.length);
    const integers = new BigInt64Array(values.length);
    for (let i = 0; i < integers.length; i++) {
      if (!Number.isSafeInteger(values[i])) throw unfit(attempt, "int64", values, i);
      integers[i] = BigInt(values[i]);
    }
    return this.#initialize("int64", name, shape, { rawData: bytesOf(integers) });
  }

  /**
   * Adds a constant whose numbers lie in another file, which the caller writes: row-major,
   * little-endian, without gaps.
   *
   * @param name a new name
   * @param shape its shape; `[]` for a single number
   * @param where the file and the place in it
   * @param element its element type
   * @returns the name
   * @throws {TypeError} when the name is empty or taken, or the location is empty
   * @throws {RangeError} when a length or the offset is not an integer of at least 0
   */
  external(
    name: string,
    shape: readonly number[],
    where: OnnxLocation,
    element: OnnxElement = "float32",
  ): string {
    const { location, offset } = where;
    const attempt = checkConstant(element, name, shape);
    if (location === "") throw new TypeError(`${attempt}: the location of its file is empty`);
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(
        `${attempt}: its offset must be an integer of at least 0, got ${offset}`,
      );
    }
    const length = sizeOf(shape) * WIDTH[element];
    return this.#initialize(element, name, shape, {
      dataLocation: DataLocation.EXTERNAL,
      externalData: Object.entries({ location, offset, length }).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value: String(value) })
      ),
    });
  }

  /**
   * Adds an operator that makes one value.
   *
   * @param operator its ONNX name, `"Conv"` for example
   * @param inputs names of values that exist; `""` leaves an optional input out
   * @param output a new name
   * @param attributes the operator's attributes
   * @returns the output's name
   * @throws {TypeError} when the operator is empty, an input does not exist, or the output's name
   *   is empty or taken
   * @throws {RangeError} when an attribute holds a number that its type cannot
   */
  node(
    operator: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string {
    const attempt = `Cannot add the node ${operator || '""'} -> "${output}"`;
    if (operator === "") throw new TypeError(`${attempt}: its operator is empty`);
    for (const input of inputs) {
      if (input !== "" && !this.#values.has(input)) {
        throw new TypeError(
          `${attempt}: nothing in the graph makes its input "${input}"; add that first`,
        );
      }
    }
    const attribute = Object.entries(attributes)
      .map(([name, value]) => attributeProto(attempt, name, value));
    this.#define("node", output);
    this.#nodes.push(
      create(NodeProtoSchema, {
        name: output,
        opType: operator,
        input: [...inputs],
        output: [output],
        attribute,
      }),
    );
    return output;
  }

  /**
   * Writes the model. The same calls in the same order give the same bytes.
   *
   * @returns the bytes of an `.onnx` file
   * @throws {TypeError} when the graph has no output
   */
  toBytes(): Uint8Array<ArrayBuffer> {
    if (this.#outputs.length === 0) {
      throw new TypeError(
        `Cannot write the ONNX graph "${this.#name}": it has no output; declare one with output()`,
      );
    }
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(ONNX_IR_VERSION),
      producerName: "clip-e",
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(ONNX_OPSET) })],
      graph: create(GraphProtoSchema, {
        name: this.#name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      }),
    });
    return toBinary(ModelProtoSchema, model);
  }

  #define(what: string, name: string): void {
    if (name === "") throw new TypeError(`Cannot add the ${what} "": its name is empty`);
    if (this.#values.has(name)) {
      throw new TypeError(`Cannot add the ${what} "${name}": that name is taken; choose another`);
    }
    this.#values.add(name);
  }

  #describe(
    attempt: string,
    name: string,
    shape: OnnxShape,
    element: OnnxElement,
  ): ValueInfoProto {
    const dim = shape.map((length) => {
      if (typeof length === "number") checkLength(attempt, length, 1);
      else if (length === "") throw new RangeError(`${attempt}: the name of a length is empty`);
      return create(TensorShapeProto_DimensionSchema, {
        value: typeof length === "number"
          ? { case: "dimValue", value: BigInt(length) }
          : { case: "dimParam", value: length },
      });
    });
    const tensor = create(TypeProto_TensorSchema, {
      elemType: DATA_TYPE[element],
      shape: create(TensorShapeProtoSchema, { dim }),
    });
    return create(ValueInfoProtoSchema, {
      name,
      type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } }),
    });
  }

  #initialize(
    element: OnnxElement,
    name: string,
    shape: readonly number[],
    data: Pick<TensorProto, "rawData"> | Pick<TensorProto, "dataLocation" | "externalData">,
  ): string {
    this.#define(`${element} constant`, name);
    const dims = shape.map(BigInt);
    this.#initializers.push(
      create(TensorProtoSchema, { name, dims, dataType: DATA_TYPE[element], ...data }),
    );
    return name;
  }
}

/** Checks a constant's shape and, where it is known, how many values there are. */
function checkConstant(
  element: OnnxElement,
  name: string,
  shape: readonly number[],
  count?: number,
): string {
  const attempt = `Cannot add the ${element} constant "${name}"`;
  for (const length of shape) checkLength(attempt, length, 0);
  const size = sizeOf(shape);
  if (count !== undefined && count !== size) {
    throw new RangeError(
      `${attempt}: the shape [${shape.join(", ")}] holds ${size} values, got ${count}`,
    );
  }
  return attempt;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function unfit(
  attempt: string,
  element: OnnxElement,
  values: ArrayLike<number>,
  at: number,
): RangeError {
  return new RangeError(`${attempt}: value ${at}, ${values[at]}, does not fit ${element}`);
}

/** Whether values can be seen as they are, not in memory that another thread may write to. */
function isFloat32Array(values: ArrayLike<number>): values is Float32Array<ArrayBuffer> {
  return values instanceof Float32Array && values.buffer instanceof ArrayBuffer;
}

/** A view, no copy. Every host of WebAssembly is little-endian, as the format is. */
function bytesOf(values: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function checkLength(attempt: string, length: number, least: 0 | 1): void {
  if (!Number.isSafeInteger(length) || length < least) {
    const kind = least === 1 ? "a positive integer" : "an integer of at least 0";
    throw new RangeError(`${attempt}: a length must be ${kind}, got ${length}`);
  }
}

function attributeProto(attempt: string, name: string, value: OnnxAttribute): AttributeProto {
  const integer = (number: number): bigint => {
    if (!Number.isSafeInteger(number)) {
      throw new RangeError(`${attempt}: its attribute "${name}" takes integers, got ${number}`);
    }
    return BigInt(number);
  };
  if ("int" in value) {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.INT,
      i: integer(value.int),
    });
  }
  if ("ints" in value) {
    const ints = value.ints.map(integer);
    return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints });
  }
  if ("float" in value) {
    if (!Number.isFinite(Math.fround(value.float))) {
      throw new RangeError(
        `${attempt}: its attribute "${name}" takes a finite float32, got ${value.float}`,
      );
    }
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  }
  const s = new TextEncoder().encode(value.string);
  return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s });
}
