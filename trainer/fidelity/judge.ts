/**
 * Whether a quantised encoder is near enough to the float one, which runs only once for all that are judged.
 */

import type { Backend } from "@clip-e/edge/encoder";
import { breather } from "../breather.ts";
import { cosine } from "./cosines.ts";
import { openForPictures, type PictureInputs } from "./open_for_pictures.ts";
import { modelFiles, type OnnxModel } from "../quantize/mod.ts";

/** What to judge by. */
export interface JudgeOptions {
  /** The least cosine that a picture's two embeddings may have, on every backend. */
  readonly target: number;
  /** To run on, the fastest first: most models that fail do so there. */
  readonly backends: readonly Backend[];
  /** Ends the work: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Embeddings by picture. */
type Embeddings = ReadonlyMap<Float32Array, Float32Array>;

/**
 * Embeds pictures with the float encoder.
 *
 * @returns says of another encoder whether all pictures' embeddings are near enough to those
 * @throws {ClipEError} when it is not an image encoder
 */
export async function openJudge(
  float: OnnxModel,
  pictures: PictureInputs,
  { target, backends, signal }: JudgeOptions,
): Promise<(model: OnnxModel) => Promise<boolean>> {
  const breathe = breather(signal);
  /** Embeds until a picture is refused, which is then the first to be asked about the next model. */
  const order = [...pictures.inputs];
  const embed = async (
    model: OnnxModel,
    backend: Backend,
    isFine: (input: Float32Array, embedding: Float32Array) => boolean,
  ): Promise<boolean> => {
    const encoder = await openForPictures(await modelFiles(model), pictures, backend);
    try {
      for (const [i, input] of order.entries()) {
        await breathe();
        if (isFine(input, await encoder.encode(input))) continue;
        order.unshift(...order.splice(i, 1));
        return false;
      }
      return true;
    } finally {
      await encoder.close();
    }
  };

  const expected: (readonly [Backend, Embeddings])[] = [];
  for (const backend of backends) {
    const embeddings = new Map<Float32Array, Float32Array>();
    await embed(float, backend, (input, embedding) => {
      embeddings.set(input, embedding);
      return true;
    });
    expected.push([backend, embeddings]);
  }
  return async (model) => {
    for (const [backend, embeddings] of expected) {
      const isNear = (input: Float32Array, embedding: Float32Array) =>
        cosine(embeddings.get(input) ?? [], embedding) >= target;
      if (!await embed(model, backend, isNear)) return false;
    }
    return true;
  };
}
