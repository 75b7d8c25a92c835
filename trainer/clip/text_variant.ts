/**
 * A smaller text encoder for bundles that take labels at request time. Prompts that a bundle brings are compiled with the
 * float one all the same.
 */

import type { ManifestTextParity } from "@clip-e/shared";
import type { TextEncoderFiles } from "../bundle/bundle_draft.ts";
import { openClipTextEncoder } from "./clip_text.ts";
import { cosine, median } from "../fidelity/cosines.ts";
import { openModel } from "../encoder/encoder_variants.ts";
import { modelFiles, quantizeModel } from "../quantize/mod.ts";

/** A text encoder in 8-bit integers, and what that cost. */
export interface TextVariant {
  /** Its files. */
  readonly text: TextEncoderFiles;
  /** How near it is to the float one. */
  readonly parity: ManifestTextParity;
}

/**
 * Quantises a text encoder, its table of tokens included.
 *
 * @param float in 32-bit floats
 * @param samples texts to measure by, at least one
 * @param breathe called between texts
 * @throws {TrainerError} when it is not in floats
 */
export async function quantizeTextEncoder(
  float: TextEncoderFiles,
  samples: readonly string[],
  breathe: () => Promise<void>,
): Promise<TextVariant> {
  const model = openModel({ bytes: float.model, externalData: float.externalData });
  const made = await quantizeModel(model, { mode: "int8-dynamic", gather: true });
  const { bytes, externalData } = await modelFiles(made.model);
  const text = { ...float, model: bytes, externalData };
  const [before, after] = [await encode(float), await encode(text)];
  const cosines = before.map((vector, i) => cosine(vector, after[i]));
  const parity = {
    cosineMin: Math.min(...cosines),
    cosineMedian: median(cosines),
    texts: samples.length,
  };
  return { text, parity };

  async function encode(files: TextEncoderFiles): Promise<Float32Array[]> {
    const encoder = await openClipTextEncoder(files);
    try {
      const vectors: Float32Array[] = [];
      for (const sample of samples) {
        vectors.push(await encoder.encode(sample));
        await breathe();
      }
      return vectors;
    } finally {
      await encoder.close();
    }
  }
}
