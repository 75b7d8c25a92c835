/**
 * Encoders that are compared: opened on a backend, and run once, so that what is wrong with them or with the pictures' size
 * comes out first, and caches are warm.
 */

import { type Backend, type Encoder, openEncoder } from "@clip-e/edge/encoder";
import { ClipEError } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import type { ModelFiles } from "../quantize/mod.ts";

/** Pictures as an encoder takes them. */
export interface PictureInputs {
  /** S, in pixels. */
  readonly crop: number;
  /** `[3, S, S]` each, at least one. */
  readonly inputs: readonly Float32Array[];
}

/**
 * Opens an encoder and runs it on the first picture.
 *
 * @param files of the encoder
 * @param pictures that it is opened for
 * @param backend to run it
 * @throws {ClipEError} when it is not an image encoder
 * @throws {TrainerError} when it cannot be run on pictures of that size
 */
export async function openForPictures(
  { bytes, externalData }: ModelFiles,
  { crop, inputs }: PictureInputs,
  backend: Backend,
): Promise<Encoder> {
  const encoder = await openEncoder(bytes, crop, { backend, externalData });
  try {
    await encoder.encode(inputs[0]);
    return encoder;
  } catch (cause) {
    await encoder.close();
    if (cause instanceof ClipEError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(
      `Cannot run the encoder on pictures of ${crop} x ${crop} pixels. If its input has another size, say so in a ` +
        `preprocessor_config.json beside it, or name its bundle. ONNX Runtime says: ` +
        why.replace(/^.*ERROR_MESSAGE: /s, "").replace(/\s+/g, " "),
      { cause },
    );
  }
}
