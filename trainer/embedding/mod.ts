/**
 * Pictures to embeddings, kept on disk: the cache, the workers, and what pictures have in common.
 *
 * @module
 */

export { BACKEND_CHOICES, type EmbeddingBackend } from "./choose_backend.ts";
export {
  type EmbedOptions,
  type EmbedProgress,
  type EmbedRun,
  type Readable,
  type Unreadable,
} from "./embed_examples.ts";
export {
  type EmbeddedExamples,
  type Embedder,
  type EmbedderOptions,
  type Labelled,
  openEmbedder,
} from "./embedder.ts";
export { EmbeddingStore, type StoreOptions } from "./embedding_store.ts";
export { type EncoderSpec, readEncoder } from "./encoder_spec.ts";
export { type MergeReport, mergeStores } from "./merge_stores.ts";
export { findNearDuplicates, NEAR, type NearDuplicate } from "./near_duplicates.ts";
export { perceptualHash } from "./perceptual_hash.ts";
export { type StoreKey } from "./store_key.ts";
