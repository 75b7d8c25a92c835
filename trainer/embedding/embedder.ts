/**
 * Data sets to embeddings: an encoder, its workers and its store together, which is what training asks for.
 */

import { createHash } from "node:crypto";
import { TrainerError } from "../errors.ts";
import { chooseBackend, type EmbeddingBackend } from "./choose_backend.ts";
import { countWorkers } from "./count_workers.ts";
import { DIGEST_BYTES } from "./digest_index.ts";
import {
  embedExamples,
  type EmbedOptions,
  type EmbedRun,
  type Readable,
  type Unreadable,
} from "./embed_examples.ts";
import { EmbeddingStore } from "./embedding_store.ts";
import { startHand } from "./encoder_hand.ts";
import { createEncoderPool, StartError } from "./encoder_pool.ts";
import type { EncoderSpec } from "./encoder_spec.ts";
import { storeKey } from "./store_key.ts";

/** An example with what the data's digest depends on. */
export interface Labelled extends Readable {
  /** What it evokes. */
  readonly label: string;
}

/** Pictures that could be embedded, and those that could not. */
export interface EmbeddedExamples<E> {
  /** Those that could, in the data set's order. */
  readonly examples: readonly E[];
  /** `[N, D]`, one row of each example. */
  readonly embeddings: Float32Array<ArrayBuffer>;
  /** `[N]`, perceptual: those of pictures that look alike differ in few bits. */
  readonly hashes: BigUint64Array<ArrayBuffer>;
  /** D. */
  readonly size: number;
  /** Those that could not, and why. */
  readonly unreadable: readonly Unreadable[];
  /** How many were looked up instead of encoded. */
  readonly cached: number;
  /** SHA-256 over the pictures' own digests and labels, in order: what the data was. */
  readonly digest: string;
}

/** Options of {@linkcode openEmbedder}. */
export interface EmbedderOptions {
  /** What runs the encoder: a backend's name, or `auto`, the default: native where it is installed. */
  readonly backend?: string;
  /** How many pictures are embedded at a time; by default one to each core, as far as there is memory. */
  readonly workers?: number;
  /** Begins the names of the store's files, for people to tell them apart. */
  readonly label?: string;
  /** A larger picture is unreadable; by default 200 million pixels. */
  readonly maxPixels?: number;
  /** How long a picture may take, in milliseconds; by default two minutes. */
  readonly timeout?: number;
}

/** An encoder at work. */
export interface Embedder {
  /** What runs it. */
  readonly backend: EmbeddingBackend;
  /** How many workers there are at most. */
  readonly workers: number;
  /** What is kept. */
  readonly store: EmbeddingStore;
  /**
   * Sees to it that the store has every picture.
   *
   * @throws {TrainerError} when the encoder cannot be run, or embeddings cannot be kept
   */
  fill(examples: readonly Readable[], options?: EmbedOptions): Promise<EmbedRun>;
  /**
   * The embeddings of a data set.
   *
   * @throws {TrainerError} as `fill` does
   */
  embed<E extends Labelled>(
    examples: readonly E[],
    options?: EmbedOptions,
  ): Promise<EmbeddedExamples<E>>;
  /** Ends the workers and the writing. */
  close(): void;
}

/**
 * Gets an encoder ready. Workers start when there are pictures that the cache does not have.
 *
 * @param encoder which; where its size is not known, a worker starts at once to tell
 * @param cache folder of all stores; made if need be
 * @param options what runs it, and how
 * @throws {ClipEError} when it is no encoder, or the backend cannot be had
 * @throws {TrainerError} when it cannot be run, or the folder cannot be used
 */
export async function openEmbedder(
  encoder: EncoderSpec,
  cache: string,
  options: EmbedderOptions = {},
): Promise<Embedder> {
  const backend = await chooseBackend(options.backend ?? "auto", encoder.backends);
  // A GPU takes one picture after another, whoever asks.
  const isGpu = backend.startsWith("webgpu");
  const {
    workers = isGpu ? 1 : countWorkers(bytesOf(encoder)),
    maxPixels = 200_000_000,
    timeout = 120_000,
    label,
  } = options;
  const { bytes, externalData, preprocessing } = encoder;
  const threads = Math.max(1, Math.floor(navigator.hardwareConcurrency / workers));
  const setup = { bytes, externalData, preprocessing, backend, threads, maxPixels };
  const pool = createEncoderPool(workers, async () => {
    const hand = await startHand(setup, timeout);
    const { size = hand.size } = encoder;
    if (hand.size === size) return hand;
    hand.end();
    throw new TrainerError(
      `Cannot embed: the encoder gives ${hand.size} numbers, and is said to give ${size}`,
    );
  });
  try {
    const size = encoder.size ?? await pool.size();
    const key = storeKey(encoder, size, backend);
    const store = await EmbeddingStore.open(cache, key, label === undefined ? {} : { label });
    const fill: Embedder["fill"] = (examples, options) =>
      embedExamples(examples, pool, store, options);
    return {
      backend,
      workers,
      store,
      fill,
      embed: async (examples, options) =>
        await readEmbeddings(examples, await fill(examples, options), store),
      close() {
        pool.close();
        store.close();
      },
    };
  } catch (error) {
    pool.close();
    throw error instanceof StartError && error.cause ? error.cause : error;
  }
}

function bytesOf({ bytes, externalData }: EncoderSpec): number {
  return externalData.reduce((sum, { bytes }) => sum + bytes.length, bytes.length);
}

/** Reads what a run left in the store. */
async function readEmbeddings<E extends Labelled>(
  examples: readonly E[],
  { digests, isEmbedded, unreadable, cached }: EmbedRun,
  store: EmbeddingStore,
): Promise<EmbeddedExamples<E>> {
  const readable = examples.filter((_, i) => isEmbedded[i] === 1);
  const own = digests.filter((_, i) => isEmbedded[Math.floor(i / DIGEST_BYTES)] === 1);
  const embeddings = new Float32Array(readable.length * store.size);
  const hashes = new BigUint64Array(readable.length);
  await store.read(own, embeddings, hashes);
  const digest = digestData(readable, own);
  return { examples: readable, embeddings, hashes, size: store.size, unreadable, cached, digest };
}

/** SHA-256 of lines `DIGEST LABEL`. */
function digestData(examples: readonly Labelled[], digests: Uint8Array): string {
  const hash = createHash("sha256");
  examples.forEach(({ label }, i) => {
    const own = digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
    hash.update(`${i === 0 ? "" : "\n"}${own.toHex()} ${label}`);
  });
  return hash.digest("hex");
}
