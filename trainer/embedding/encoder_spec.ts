/**
 * An encoder as embedding needs it: its bytes and what they want for input, not a session of it, of which each worker has its
 * own. A bundle's entry says as much, and so does an ONNX file with what lies beside it.
 */

import { dirname } from "node:path";
import type { Preprocessing } from "@clip-e/shared";
import { digestOf, readPreprocessing } from "../encoder/encoder_file.ts";
import { TrainerError } from "../errors.ts";
import { type ExternalData, readExternalData } from "../encoder/external_data.ts";

/** An encoder, not open. */
export interface EncoderSpec {
  /** ONNX. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Weights beside it. */
  readonly externalData: readonly ExternalData[];
  /** Of the bytes, the weights beside it included, hexadecimal. */
  readonly sha256: string;
  /** How pictures become its input. */
  readonly preprocessing: Preprocessing;
  /** D, where it is known; else a worker tells. */
  readonly size?: number;
  /** What may run it, by a bundle's word; anything where that is not said. */
  readonly backends?: readonly string[];
}

/**
 * Reads an encoder.
 *
 * @param path of an ONNX file, with its `preprocessor_config.json` beside it
 * @returns it, and in words where its preprocessing comes from
 * @throws {TrainerError} when it cannot be read, or its preprocessing is not one that is done here
 */
export async function readEncoder(
  path: string,
): Promise<EncoderSpec & { readonly preprocessingFrom: string }> {
  const bytes = await Deno.readFile(path).catch((cause) => {
    throw new TrainerError(`Cannot read the encoder ${path}: ${cause.message}`, { cause });
  });
  const preprocessing = await readPreprocessing(dirname(path));
  const externalData = await readExternalData(path, bytes);
  return { bytes, externalData, sha256: await digestOf(bytes, externalData), ...preprocessing };
}
