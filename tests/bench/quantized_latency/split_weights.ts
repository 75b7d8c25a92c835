/**
 * A model for static assets, which have a largest size: its weights go into several files beside it, as ONNX's external
 * data.
 */

import { toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, type TensorProto } from "onnx-buf";
import {
  layOutModel,
  type ModelFiles,
  NO_EXTERNAL_DATA,
  readModel,
} from "../../../trainer/quantize/mod.ts";

/** The largest static asset of a Worker, in bytes. */
const MAX_ASSET_BYTES = 25 * 1024 * 1024;

/**
 * Splits a model that is too large for one asset.
 *
 * @param model in one file
 * @returns the same, where it is small enough
 */
export async function splitWeights(model: ModelFiles): Promise<ModelFiles> {
  if (model.bytes.length <= MAX_ASSET_BYTES) return model;
  const layout = layOutModel(
    { proto: readModel(model.bytes), external: NO_EXTERNAL_DATA },
    { isSplit: true, dataLocation: "weights" },
  );
  const proto = readModel(await collect(layout.model()));
  const data = await collect(layout.data());
  const parts: { path: string; start: number; end: number }[] = [];
  // In the order of their offsets.
  for (const tensor of proto.graph?.initializer ?? []) {
    const [offset, length] = ["offset", "length"].map((key) => Number(entry(tensor, key)?.value));
    if (Number.isNaN(offset)) continue;
    let part = parts.at(-1);
    if (!part || offset + length - part.start > MAX_ASSET_BYTES) {
      part = { path: `weights_${parts.length}`, start: offset, end: offset };
      parts.push(part);
    }
    part.end = offset + length;
    set(tensor, "location", part.path);
    set(tensor, "offset", String(offset - part.start));
  }
  return {
    bytes: toBinary(ModelProtoSchema, proto),
    externalData: parts.map(({ path, start, end }) => ({ path, bytes: data.slice(start, end) })),
  };
}

const entry = ({ externalData }: TensorProto, name: string) =>
  externalData.find(({ key }) => key === name);

function set(tensor: TensorProto, name: string, value: string): void {
  const found = entry(tensor, name);
  if (found) found.value = value;
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of pieces) parts.push(new Uint8Array(piece));
  return await new Blob(parts).bytes();
}
