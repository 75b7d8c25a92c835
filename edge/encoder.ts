/**
 * The encoder's door: an ONNX model in, embeddings out. The trainer comes through here too, so that heads are trained on
 * the embeddings that are served.
 */

import { ClipEError } from "@clip-e/shared";
import * as ort from "onnxruntime-web/wasm";

/** An open encoder. */
export interface Encoder {
  /** What runs it. */
  readonly backend: "wasm";
  /**
   * Encodes one picture.
   *
   * @param pixels `[3, S, S]`, preprocessed
   * @returns `[D]`, as the model gives it, not normalised
   */
  encode(pixels: Float32Array): Promise<Float32Array>;
  /** Frees the session. */
  close(): Promise<void>;
}

// More threads need a worker from a blob URL, which Deno refuses; parallelism comes from workers of our own.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/**
 * Opens an encoder with ONNX Runtime's WebAssembly backend, on one thread.
 *
 * @param model ONNX bytes: one input `[N, 3, S, S]`, and an output `[N, D]`, the one named `image_embeds` or `embedding`,
 * or the only one
 * @param crop S, in pixels
 * @throws {ClipEError} `invalid-bundle`, when the bytes are not such a model
 */
export async function openEncoder(model: Uint8Array, crop: number): Promise<Encoder> {
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  } catch (cause) {
    throw unusable(`ONNX Runtime refuses it: ${cause instanceof Error ? cause.message : cause}`);
  }
  const [input, ...otherInputs] = session.inputNames;
  if (otherInputs.length > 0) {
    throw unusable(`it takes ${session.inputNames.join(", ")}, and should take pixels alone`);
  }
  const output = pickOutput(session.outputNames);
  return {
    backend: "wasm",
    async encode(pixels) {
      if (pixels.length !== 3 * crop * crop) {
        throw new RangeError(
          `Cannot encode ${pixels.length} numbers: the encoder takes 3 x ${crop} x ${crop}`,
        );
      }
      const tensor = new ort.Tensor("float32", pixels, [1, 3, crop, crop]);
      const result = (await session.run({ [input]: tensor }, [output]))[output];
      if (!(result.data instanceof Float32Array)) {
        throw unusable(`its output ${output} is of type ${result.type}, not float32`);
      }
      return result.data.slice();
    },
    close: () => session.release(),
  };
}

function pickOutput(names: readonly string[]): string {
  const known = ["image_embeds", "embedding"].find((name) => names.includes(name));
  if (known) return known;
  if (names.length === 1) return names[0];
  throw unusable(`it gives ${names.join(", ")}, and none is image_embeds or embedding`);
}

function unusable(why: string): ClipEError {
  return new ClipEError("invalid-bundle", `Cannot use the encoder: ${why}`);
}
