/**
 * A run over a data set that leaves every picture's embedding in the store. A picture is known by its file's SHA-256, and one
 * that the store has is not even decoded. At most a few pictures a worker are in memory, however many there are; no picture
 * ends the run.
 */

import { ClipEError } from "@clip-e/shared";
import { TrainerError } from "../errors.ts";
import { DIGEST_BYTES } from "./digest_index.ts";
import { HandLost } from "./encoder_hand.ts";
import { type EncoderPool, StartError } from "./encoder_pool.ts";
import type { EmbeddingStore } from "./embedding_store.ts";

/** What a run needs of an example; see `Example` of the data sets. */
export interface Readable {
  /** For reports. */
  readonly name: string;
  /** Reads the picture file's bytes. */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** A picture that cannot be embedded. */
export interface Unreadable {
  /** Of the example. */
  readonly name: string;
  /** In a sentence. */
  readonly why: string;
}

/** How far a run is. */
export interface EmbedProgress {
  /** Pictures that are dealt with. */
  readonly done: number;
  /** All pictures. */
  readonly total: number;
  /** Of those done, pictures that the store had. */
  readonly cached: number;
  /** Of those done, pictures that cannot be embedded. */
  readonly unreadable: number;
  /** Pictures encoded in a second, since the first was begun. */
  readonly rate: number;
}

/** Options of {@linkcode embedExamples}. */
export interface EmbedOptions {
  /** Called after each picture. */
  readonly onProgress?: (progress: EmbedProgress) => void;
  /** Ends the run once the pictures in hand are done; they are kept, and its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** What a run did. */
export interface EmbedRun {
  /** `[N, 32]` bytes: SHA-256 of each example's file; zeros where it could not be read. */
  readonly digests: Uint8Array<ArrayBuffer>;
  /** `[N]`: 1 where the store has the example's embedding. */
  readonly isEmbedded: Uint8Array;
  /** The others, in the data set's order. */
  readonly unreadable: readonly Unreadable[];
  /** How many were looked up instead of encoded. */
  readonly cached: number;
}

/** Pictures in memory for each worker: one in work, and others that are being read. */
const IN_FLIGHT = 3;

/** So many pictures in a row that cost a worker each are not the pictures' fault. */
const MAX_LOST = 8;

/**
 * Embeds pictures, in their order as far as reading goes.
 *
 * @param examples which
 * @param pool embeds them
 * @param store asked first, and told of each new one
 * @param options who is told, and what ends it
 * @throws {TrainerError} when the encoder cannot be run, embeddings cannot be kept, or workers die one after another
 */
export async function embedExamples(
  examples: readonly Readable[],
  pool: EncoderPool,
  store: EmbeddingStore,
  { onProgress, signal }: EmbedOptions = {},
): Promise<EmbedRun> {
  const total = examples.length;
  const digests = new Uint8Array(total * DIGEST_BYTES);
  const isEmbedded = new Uint8Array(total);
  const why = new Map<number, string>();
  /** Pictures that are being embedded, by digest: data sets have some twice. */
  const inWork = new Map<string, Promise<void>>();
  let [done, cached, encoded, lostInARow, start] = [0, 0, 0, 0, 0];

  /** Looks a picture up, or has it embedded. */
  async function deal(example: Readable, index: number): Promise<void> {
    const bytes = await example.read();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    digests.set(digest, index * DIGEST_BYTES);
    const name = digest.toHex();
    while (inWork.has(name)) await inWork.get(name)?.catch(() => {});
    if (store.has(digest)) {
      cached++;
    } else {
      const work = embed(example, bytes, digest);
      inWork.set(name, work);
      await work.finally(() => inWork.delete(name));
    }
    isEmbedded[index] = 1;
  }

  /** Embeds a picture; one that cost a worker gets another. */
  async function embed(example: Readable, bytes: Uint8Array, digest: Uint8Array): Promise<void> {
    start ||= performance.now();
    // A copy, as readers may go on using the memory of theirs.
    const { embedding, hash } = await pool.embed(bytes.slice()).catch(async (error) => {
      if (!(error instanceof HandLost)) throw error;
      return await pool.embed((await example.read()).slice());
    });
    store.add(digest, hash, embedding);
    lostInARow = 0;
    encoded++;
  }

  function note(error: unknown, index: number): void {
    if (error instanceof StartError && error.cause) throw error.cause;
    if (error instanceof HandLost && ++lostInARow >= MAX_LOST) {
      throw new TrainerError(
        `Cannot go on embedding: ${lostInARow} pictures in a row ended their workers twice, the last time ` +
          `because: ${error.message}. If memory is short, use fewer --workers`,
        { cause: error },
      );
    }
    const reason = explainUnreadable(error);
    if (reason === undefined) throw error;
    why.set(index, reason);
  }

  function report(): void {
    done++;
    const seconds = (performance.now() - start) / 1000;
    const rate = encoded === 0 ? 0 : encoded / seconds;
    onProgress?.({ done, total, cached, unreadable: why.size, rate });
  }

  const places = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for (let index = 0; index < total && !failure && !signal?.aborted; index++) {
    const place = deal(examples[index], index)
      .catch((error) => note(error, index))
      .then(report)
      .catch((error) => void (failure ??= { error }))
      .finally(() => places.delete(place));
    places.add(place);
    if (places.size >= pool.workers * IN_FLIGHT) await Promise.race(places);
  }
  await Promise.all(places);
  if (failure) throw failure.error;
  signal?.throwIfAborted();
  const unreadable = [...why].sort(([a], [b]) => a - b)
    .map(([index, why]) => ({ name: examples[index].name, why }));
  return { digests, isEmbedded, unreadable, cached };
}

/** Why a picture cannot be used, where the fault is the picture's or its file's. */
function explainUnreadable(error: unknown): string | undefined {
  if (error instanceof HandLost) return `it ended two workers: ${error.message}`;
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (error instanceof ClipEError) {
    return error.code === "invalid-bundle" ? undefined : error.message;
  }
  const isOfSystem = error instanceof Error && error.name in Deno.errors;
  return isOfSystem || error instanceof TrainerError ? error.message : undefined;
}
