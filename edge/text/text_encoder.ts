/**
 * The text encoder: words to unit vectors in the space of the pictures' embeddings.
 */

import { ClipEError } from "@clip-e/shared";
import type { InputTensor, OpenModelOptions } from "../backend/backend.ts";
import { wasmBackend } from "../backend/wasm.ts";
import type { Tokenize } from "./tokenizer.ts";

/** An open text encoder. */
export interface OpenTextEncoder {
  /**
   * Encodes one text. Texts go one at a time: a quantised model gives a text another embedding in another batch.
   *
   * @param text any
   * @returns a unit vector, `[P]`
   */
  encode(text: string): Promise<Float32Array>;
  /** Frees the session. */
  close(): Promise<void>;
}

/** The outputs that exports name the projected text feature. */
const OUTPUTS = ["text_embeds", "text_features", "pooler_output"];

/**
 * Opens a text encoder.
 *
 * @param model ONNX bytes: `input_ids` and, in some exports, `attention_mask`, `[N, L]` of int64, to `text_embeds` `[N, P]`
 * @param tokenize pads and cuts to L
 * @param options what runs it, and its weights' files
 * @throws {ClipEError} `invalid-bundle`, when the bytes are not such a model
 */
export async function openTextEncoder(
  model: Uint8Array,
  tokenize: Tokenize,
  options: OpenModelOptions = {},
): Promise<OpenTextEncoder> {
  const { backend = wasmBackend, externalData } = options;
  const session = await backend.open(model, externalData).catch((error) => {
    throw unusable(error.message);
  });
  const stray = session.inputNames.find((name) => !["input_ids", "attention_mask"].includes(name));
  if (stray !== undefined || !session.inputNames.includes("input_ids")) {
    throw unusable(
      `it takes ${session.inputNames.join(", ")}, and should take input_ids and attention_mask`,
    );
  }
  const output = OUTPUTS.find((name) => session.outputNames.includes(name));
  if (output === undefined) {
    throw unusable(`it gives ${session.outputNames.join(", ")}, and none is ${OUTPUTS.join(", ")}`);
  }
  return {
    async encode(text) {
      const { ids, mask } = tokenize(text);
      const feeds: Record<string, InputTensor> = { input_ids: toTensor(ids) };
      if (session.inputNames.includes("attention_mask")) feeds.attention_mask = toTensor(mask);
      const { data, type } = await session.run(feeds, output).catch((error) => {
        const why = error instanceof Error ? error.message : String(error);
        throw unusable(`it cannot be run on ${ids.length} tokens: ${why.replace(/\s+/g, " ")}`);
      });
      if (!(data instanceof Float32Array)) {
        throw unusable(`its output ${output} is of type ${type}, not float32`);
      }
      return toUnit(data);
    },
    close: session.close,
  };
}

function toTensor(values: readonly number[]): InputTensor {
  return { type: "int64", data: BigInt64Array.from(values, BigInt), dims: [1, values.length] };
}

/** Divides a vector by its length. */
function toUnit(vector: Float32Array): Float32Array {
  let square = 0;
  for (const v of vector) square += v * v;
  if (!(square > 0 && Number.isFinite(square))) {
    throw unusable("it gave an embedding without a direction");
  }
  return vector.map((v) => v / Math.sqrt(square));
}

function unusable(why: string): ClipEError {
  return new ClipEError("invalid-bundle", `Cannot use the text encoder: ${why}`);
}
