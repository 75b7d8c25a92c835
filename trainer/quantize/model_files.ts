/**
 * A model in memory as a runtime takes it: its bytes, and those of its weights where they do not fit into one file.
 */

import type { OnnxModel } from "./onnx_model.ts";
import { layOutModel } from "./write_model.ts";

/** A model's files. */
export interface ModelFiles {
  /** ONNX. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Weights beside it, under the name that it knows them by. */
  readonly externalData: readonly {
    readonly path: string;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }[];
}

/**
 * Writes a model into memory.
 *
 * @throws {TrainerError} when its weights cannot be read
 */
export async function modelFiles(model: OnnxModel): Promise<ModelFiles> {
  const path = "weights";
  const layout = layOutModel(model, { dataLocation: path });
  const bytes = await collect(layout.model(), layout.modelBytes);
  if (layout.dataBytes === 0) return { bytes, externalData: [] };
  return {
    bytes,
    externalData: [{ path, bytes: await collect(layout.data(), layout.dataBytes) }],
  };
}

async function collect(
  pieces: AsyncIterable<Uint8Array>,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
