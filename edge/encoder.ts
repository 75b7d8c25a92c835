/**
 * The encoder's door: an ONNX model in, embeddings out. The trainer comes through here too, so that heads are trained on
 * the embeddings that are served.
 */

import { ClipEError } from "@clip-e/shared";
import type { BackendName, OpenModelOptions } from "./backend/backend.ts";
import { wasmBackend } from "./backend/wasm.ts";

export * from "./backend/mod.ts";

/** An open encoder. */
export interface Encoder {
  /** What runs it. */
  readonly backend: BackendName;
  /**
   * Encodes one picture.
   *
   * @param pixels `[3, S, S]`, preprocessed
   * @returns `[D]`, as the model gives it, not normalised
   * @throws {ClipEError} `invalid-bundle`, when the output is not an embedding; `internal`, when it is not finite
   */
  encode(pixels: Float32Array): Promise<Float32Array>;
  /** Frees the session. */
  close(): Promise<void>;
}

/**
 * Opens an encoder.
 *
 * @param model ONNX bytes: one input `[N, 3, S, S]`, and an output `[N, D]`, the one named `image_embeds`, `embedding` or
 * `pooler_output`, or the only one
 * @param crop S, in pixels
 * @param options what runs it, and its weights' files
 * @throws {ClipEError} `invalid-bundle`, when the bytes are not such a model
 */
export async function openEncoder(
  model: Uint8Array,
  crop: number,
  options: OpenModelOptions = {},
): Promise<Encoder> {
  const { backend = wasmBackend, externalData } = options;
  const session = await backend.open(model, externalData).catch((error) => {
    throw unusable(error.message);
  });
  const [input, ...otherInputs] = session.inputNames;
  if (otherInputs.length > 0) {
    throw unusable(`it takes ${session.inputNames.join(", ")}, and should take pixels alone`);
  }
  const output = pickOutput(session.outputNames);
  return {
    backend: backend.name,
    async encode(pixels) {
      if (pixels.length !== 3 * crop * crop) {
        throw new RangeError(
          `Cannot encode ${pixels.length} numbers: the encoder takes 3 x ${crop} x ${crop}`,
        );
      }
      const tensor = { type: "float32", data: pixels, dims: [1, 3, crop, crop] } as const;
      const { data, dims, type } = await session.run({ [input]: tensor }, output);
      if (!(data instanceof Float32Array)) {
        throw unusable(`its output ${output} is of type ${type}, not float32`);
      }
      if (dims.length !== 2 || dims[0] !== 1) {
        throw unusable(`its output ${output} has the shape [${dims}], not [1, D]`);
      }
      if (!data.every(Number.isFinite)) {
        throw new ClipEError("internal", "The encoder gave a number that is not finite");
      }
      return data.slice();
    },
    close: session.close,
  };
}

/** What exports name the embedding: CLIP's, this project's own, SigLIP's. */
const OUTPUTS = ["image_embeds", "embedding", "pooler_output"];

/**
 * Finds the output that is the embedding.
 *
 * @param names of a model's outputs
 * @throws {ClipEError} `invalid-bundle`, when none is
 */
export function pickOutput(names: readonly string[]): string {
  const known = OUTPUTS.find((name) => names.includes(name));
  if (known) return known;
  if (names.length === 1) return names[0];
  throw unusable(`it gives ${names.join(", ")}, and none is ${OUTPUTS.join(", ")}`);
}

function unusable(why: string): ClipEError {
  return new ClipEError("invalid-bundle", `Cannot use the encoder: ${why}`);
}
