/**
 * What the quantiser's tests share: small models as the quantiser takes them, and their outputs by ONNX Runtime.
 */

import { toBinary } from "@bufbuild/protobuf";
import { type NodeProto, NodeProtoSchema, type TensorProto } from "onnx-buf";
import * as ort from "onnxruntime-web/wasm";
import type { OnnxGraph } from "../../../trainer/encoder/onnx_graph.ts";
import {
  layOutModel,
  NO_EXTERNAL_DATA,
  type OnnxModel,
  type QuantizedModel,
  quantizeModel,
  type QuantizeOptions,
  readModel,
} from "../../../trainer/quantize/mod.ts";
import { graphOf } from "../../../trainer/quantize/onnx_model.ts";

ort.env.wasm.numThreads = 1;

/** A graph as a model. */
export function modelOf(graph: OnnxGraph): OnnxModel {
  return { proto: readModel(graph.toBytes()), external: NO_EXTERNAL_DATA };
}

/** Puts pieces together. */
export async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of pieces) parts.push(piece.slice());
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** A model's file. */
export async function bytesOf(model: OnnxModel): Promise<Uint8Array<ArrayBuffer>> {
  return await joined(layOutModel(model).model());
}

/** An input: its shape and its numbers, row-major. */
export type Feed = readonly [shape: readonly number[], values: Float32Array | BigInt64Array];

/** Numbers that a model gave. */
export interface Output {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Runs a model's file. */
export async function evaluate(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Feed>>,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<Record<string, Output>> {
  const session = await ort.InferenceSession.create(bytes, {
    logSeverityLevel: 3,
    ...options,
  });
  try {
    const inputs = Object.entries(feeds).map(([name, [shape, values]]) => {
      const tensor = values instanceof Float32Array
        ? new ort.Tensor("float32", values, shape)
        : new ort.Tensor("int64", values, shape);
      return [name, tensor];
    });
    const results = await session.run(Object.fromEntries(inputs));
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => {
        if (!(data instanceof Float32Array)) throw new TypeError(`${name} is not of 32-bit floats`);
        return [name, { dims, data: data.slice() }];
      }),
    );
  } finally {
    await session.release();
  }
}

/** Quantises a model and runs what came of it. */
export async function runQuantized(
  model: OnnxModel,
  options: QuantizeOptions,
  feeds: Readonly<Record<string, Feed>>,
): Promise<QuantizedModel & { readonly outputs: Record<string, Output> }> {
  const quantized = await quantizeModel(model, options);
  return { ...quantized, outputs: await evaluate(await bytesOf(quantized.model), feeds) };
}

/** How many nodes of each operator a model has. */
export function countOperators({ proto }: OnnxModel): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { opType } of graphOf(proto).node) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}

/** The initializers whose names begin so. */
export function initializers({ proto }: OnnxModel, start = ""): TensorProto[] {
  return graphOf(proto).initializer.filter(({ name }) => name.startsWith(start));
}

/** A node's bytes. */
export function nodeBytes(node: NodeProto): Uint8Array {
  return toBinary(NodeProtoSchema, node);
}

/** `x` `[rows, inner]` by `w` `[inner, columns]`, in double precision. */
export function multiply(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  inner: number,
  columns: number,
): Float64Array {
  return Float64Array.from({ length: x.length / inner * columns }, (_, i) => {
    const row = Math.floor(i / columns) * inner;
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += x[row + k] * w[k * columns + i % columns];
    return sum;
  });
}

/** The angle's cosine. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

/** Length of the difference, relative to the length of what is expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(error / size);
}
