/**
 * A worker that embeds: it opens the encoder once, then answers pictures one after another. Decoding, resizing and encoding
 * all happen here, on one core: with as many workers as cores no core waits for another.
 */

import "./without_location.ts";
import sharp from "sharp";
import {
  ClipEError,
  type ErrorCode,
  goldenInput,
  preprocess,
  type Preprocessing,
} from "@clip-e/shared";
import { type Encoder, openEncoder } from "@clip-e/edge/encoder";
import { decodeFile } from "./decode_file.ts";
import { TrainerError } from "../errors.ts";
import { type EmbeddingBackend, openBackend } from "./choose_backend.ts";
import type { EncoderSpec } from "./encoder_spec.ts";
import { perceptualHash } from "./perceptual_hash.ts";

/** What a worker is sent first. */
export interface WorkerSetup extends Pick<EncoderSpec, "bytes" | "externalData" | "preprocessing"> {
  /** What runs the encoder. */
  readonly backend: EmbeddingBackend;
  /** Of one run, where the backend has a choice. */
  readonly threads: number;
  /** A larger picture is refused. */
  readonly maxPixels: number;
}

/** Then pictures, whose bytes are handed over, and at the end `close`. */
export type WorkerJob = { readonly picture: Uint8Array<ArrayBuffer> } | "close";

/** What a worker makes of a picture. */
export interface PictureEmbedding {
  /** `[D]`. */
  readonly embedding: Float32Array<ArrayBuffer>;
  /** Perceptual. */
  readonly hash: bigint;
}

/** What a worker answers: D once that it is ready, then once to each picture. */
export type WorkerAnswer =
  | { readonly size: number }
  | { readonly result: PictureEmbedding }
  | {
    /** `code` is a `ClipEError`'s, and absent from what a person can mend, which `isExpected`. */
    readonly error: {
      readonly code?: ErrorCode;
      readonly isExpected: boolean;
      readonly message: string;
    };
  };

/** The worker's global scope, of which the compiler's library for windows knows nothing. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<WorkerSetup | WorkerJob>) => void;
  postMessage: (answer: WorkerAnswer) => void;
  close: () => void;
};

let open: { encoder: Encoder; preprocessing: Preprocessing; maxPixels: number } | undefined;

scope.onmessage = async ({ data }) => {
  try {
    if (data === "close") {
      await open?.encoder.close();
      return scope.close();
    }
    scope.postMessage(
      "picture" in data ? { result: await embed(data.picture) } : { size: await start(data) },
    );
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isExpected = error instanceof TrainerError || error instanceof ClipEError;
    const code = error instanceof ClipEError ? error.code : undefined;
    scope.postMessage({ error: { message, isExpected, ...(code && { code }) } });
  }
};

/** Opens the encoder and runs it once. */
async function start(setup: WorkerSetup): Promise<number> {
  const { bytes, externalData, preprocessing, backend, threads, maxPixels } = setup;
  sharp.concurrency(threads);
  const { crop } = preprocessing;
  const encoder = await openEncoder(bytes, crop, {
    backend: await openBackend(backend, threads),
    externalData,
  });
  open = { encoder, preprocessing, maxPixels };
  // The session has its own copy; waiting for the garbage collector would double a large encoder.
  bytes.buffer.transfer(0);
  try {
    return (await encoder.encode(goldenInput(preprocessing))).length;
  } catch (cause) {
    if (cause instanceof ClipEError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(
      `Cannot run the encoder on a picture of ${crop} x ${crop} pixels. If its input has another size, say so in a ` +
        `preprocessor_config.json beside it. ONNX Runtime says: ${
          why.replace(/^.*ERROR_MESSAGE: /s, "").replace(/\s+/g, " ")
        }`,
      { cause },
    );
  }
}

async function embed(bytes: Uint8Array): Promise<PictureEmbedding> {
  if (!open) throw new Error("The worker has no encoder yet");
  const picture = await decodeFile(bytes, open.maxPixels);
  const pixels = preprocess(picture, open.preprocessing);
  const embedding = await open.encoder.encode(pixels);
  return { embedding: Float32Array.from(embedding), hash: perceptualHash(picture) };
}
