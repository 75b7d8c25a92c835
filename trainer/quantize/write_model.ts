/**
 * Writes an ONNX model piece by piece: weights go from where they are into the file without a copy of the whole, which a
 * plain writer would make several of. Weights go into a file of their own where the model would be too large for one.
 */

import { clearField, create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProtoSchema,
} from "onnx-buf";
import { TrainerError } from "../errors.ts";
import { graphOf, isExternal, type OnnxModel } from "./onnx_model.ts";
import { byteLength, readBytes } from "./tensor.ts";

/** The largest message that readers of Protocol Buffers take, in bytes. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** Smaller tensors stay in the model: shapes are wanted before any weights are loaded. */
const MIN_EXTERNAL_BYTES = 1024;

/** Tensors in a file of their own start at its multiples, so that they can be mapped into memory. */
const PAGE_BYTES = 4096;

/** Where a model's weights go. */
export interface LayoutOptions {
  /** What a file of weights is called, from the model's folder. */
  readonly dataLocation?: string;
  /** Whether weights go there in any case; by default only where the model would be too large without. */
  readonly isSplit?: boolean;
  /** How large a model may be, in bytes (default: {@linkcode MAX_MODEL_BYTES}). */
  readonly maxBytes?: number;
}

/** A model as files; each can be read once or more. */
export interface ModelLayout {
  /** Length of the `.onnx` file, in bytes. */
  readonly modelBytes: number;
  /** Length of the file of weights, in bytes; 0 where there is none. */
  readonly dataBytes: number;
  /** The `.onnx` file's bytes. */
  model(): AsyncGenerator<Uint8Array>;
  /** The other file's bytes. */
  data(): AsyncGenerator<Uint8Array>;
}

/** An initializer as it is written: what describes it, then, where that is apart, what it holds. */
interface Piece {
  readonly head: Uint8Array;
  readonly payload?: { readonly tensor: TensorProto; readonly length: number };
}

/** A tensor in the file of weights. */
interface Placed {
  readonly tensor: TensorProto;
  readonly offset: number;
  readonly length: number;
}

/**
 * Says how a model is written.
 *
 * @param model whose initializers are read when they are written
 * @param options where weights go
 * @throws {TrainerError} when the model is too large for one file, and none is named for its weights
 */
export function layOutModel(model: OnnxModel, options: LayoutOptions = {}): ModelLayout {
  const { dataLocation, isSplit = false, maxBytes = MAX_MODEL_BYTES } = options;
  const whole = layOut(model, undefined);
  if (!isSplit && whole.modelBytes <= maxBytes) return whole;
  if (dataLocation === undefined) {
    throw new TrainerError(
      `Cannot write a model of ${whole.modelBytes} bytes in one file: name another for its weights`,
    );
  }
  return layOut(model, dataLocation);
}

function layOut({ proto, external }: OnnxModel, dataLocation: string | undefined): ModelLayout {
  const graph = graphOf(proto);
  const placed: Placed[] = [];
  let dataBytes = 0;
  const place = (tensor: TensorProto, length: number): TensorProto => {
    const offset = Math.ceil(dataBytes / PAGE_BYTES) * PAGE_BYTES;
    placed.push({ tensor, offset, length });
    dataBytes = offset + length;
    return located(tensor, { location: dataLocation ?? "", offset, length });
  };
  const pieces = graph.initializer.map((tensor): Piece => {
    const length = payloadLength(tensor);
    if (length === undefined) return { head: toBinary(TensorProtoSchema, tensor) };
    if (dataLocation !== undefined && length >= MIN_EXTERNAL_BYTES) {
      return { head: toBinary(TensorProtoSchema, place(tensor, length)) };
    }
    const head = new BinaryWriter().raw(toBinary(TensorProtoSchema, emptied(tensor)));
    return {
      head: lengthBefore(head, TensorProtoSchema.field.rawData.number, length).finish(),
      payload: { tensor, length },
    };
  });
  const heads = pieces.map(({ head, payload }) => {
    const size = head.length + (payload?.length ?? 0);
    return lengthBefore(new BinaryWriter(), GraphProtoSchema.field.initializer.number, size)
      .raw(head).finish();
  });
  const graphRest = toBinary(GraphProtoSchema, { ...graph, initializer: [] });
  const graphBytes = pieces.reduce(
    (sum, { payload }, i) => sum + heads[i].length + (payload?.length ?? 0),
    graphRest.length,
  );
  const { graph: _, ...rest } = proto;
  const start = new BinaryWriter().raw(toBinary(ModelProtoSchema, rest));
  // Longer lengths than a reader takes cannot be written, and such a model is only measured.
  const isReadable = graphBytes <= MAX_MODEL_BYTES;
  lengthBefore(start, ModelProtoSchema.field.graph.number, isReadable ? graphBytes : 0);
  const head = start.raw(graphRest).finish();
  return {
    modelBytes: head.length + graphBytes - graphRest.length,
    dataBytes,
    async *model() {
      yield head;
      for (const [i, { payload }] of pieces.entries()) {
        yield heads[i];
        if (payload) yield await readBytes(payload.tensor, external);
      }
    },
    async *data() {
      let end = 0;
      for (const { tensor, offset, length } of placed) {
        if (offset > end) yield new Uint8Array(offset - end);
        yield await readBytes(tensor, external);
        end = offset + length;
      }
    },
  };
}

/** How long a tensor's numbers are where they are written apart; `undefined` where its fields hold them otherwise. */
function payloadLength(tensor: TensorProto): number | undefined {
  if (isExternal(tensor)) return byteLength(tensor);
  return tensor.rawData.length > 0 ? tensor.rawData.length : undefined;
}

/** A tensor without its numbers. */
function emptied(tensor: TensorProto): TensorProto {
  const head = Object.assign(create(TensorProtoSchema), tensor);
  for (const field of ["rawData", "externalData", "dataLocation"] as const) {
    clearField(head, TensorProtoSchema.field[field]);
  }
  return head;
}

function located(tensor: TensorProto, entries: Readonly<Record<string, unknown>>): TensorProto {
  return Object.assign(emptied(tensor), {
    dataLocation: DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value: String(value) })
    ),
  });
}

/** Begins a field that so many bytes follow. */
function lengthBefore(writer: BinaryWriter, field: number, length: number): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).uint32(length);
}
