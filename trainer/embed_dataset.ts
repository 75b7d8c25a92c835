/**
 * A data set's pictures to embeddings, exactly as the edge makes them.
 */

import { ClipEError, preprocess, sha256 } from "@clip-e/shared";
import type { Example } from "./dataset.ts";
import { decodeFile } from "./decode_file.ts";
import type { EmbeddingCache } from "./embedding_cache.ts";
import type { EncoderFile } from "./encoder_file.ts";

/** Pictures that could be embedded, and those that could not. */
export interface EmbeddedDataset {
  /** Those that could, in the data set's order. */
  readonly examples: readonly Example[];
  /** `[N, D]`, one row of each example. */
  readonly embeddings: Float32Array;
  /** D. */
  readonly size: number;
  /** Those that could not, and why. */
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
  /** How many were looked up instead of encoded. */
  readonly cached: number;
  /** SHA-256 over the pictures' own digests and labels, in order: what the data was. */
  readonly digest: string;
}

/** A larger picture is unreadable. */
const MAX_PIXELS = 200_000_000;

/**
 * Embeds pictures, one after another.
 *
 * @param examples which
 * @param file the encoder
 * @param cache asked first, and told of each new one
 * @param options `onPicture` is called after each picture; `signal` ends the work, and what is done stays in the cache
 */
export async function embedDataset(
  examples: readonly Example[],
  file: EncoderFile,
  cache: EmbeddingCache,
  { onPicture, signal }: { onPicture?: () => void; signal?: AbortSignal } = {},
): Promise<EmbeddedDataset> {
  const size = file.goldenEmbedding.length;
  const rows: Float32Array[] = [];
  const readable: Example[] = [];
  const unreadable: { name: string; why: string }[] = [];
  const digests: string[] = [];
  let cached = 0;
  for (const example of examples) {
    signal?.throwIfAborted();
    try {
      const bytes = await Deno.readFile(example.file);
      const digest = await sha256(bytes);
      const known = cache.get(digest);
      const embedding = known ?? await embed(bytes, file);
      if (known) cached++;
      else await cache.add(digest, embedding);
      rows.push(embedding);
      readable.push(example);
      digests.push(`${digest} ${example.label}`);
    } catch (error) {
      const why = explainUnreadable(error);
      if (why === undefined) throw error;
      unreadable.push({ name: example.name, why });
    }
    onPicture?.();
  }
  const embeddings = new Float32Array(rows.length * size);
  rows.forEach((row, i) => embeddings.set(row, i * size));
  const digest = await sha256(new TextEncoder().encode(digests.join("\n")));
  return { examples: readable, embeddings, size, unreadable, cached, digest };
}

async function embed(bytes: Uint8Array, file: EncoderFile): Promise<Float32Array> {
  const picture = await decodeFile(bytes, MAX_PIXELS);
  return await file.encoder.encode(preprocess(picture, file.preprocessing));
}

/** Why a picture cannot be used, where the fault is the picture's. */
function explainUnreadable(error: unknown): string | undefined {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof ClipEError && error.code !== "invalid-bundle" ? error.message : undefined;
}
