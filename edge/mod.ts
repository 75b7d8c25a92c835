/**
 * Image bytes in, scores out: the classifier, the HTTP app around it, and bundles behind a URL. What belongs to one runtime
 * lies under `adapter/`, and has a door of its own: `@clip-e/edge/deno`, `/worker` and `/browser`.
 *
 * @module
 */

export { ClipEError, ERROR_CODES, type ErrorCode, NORMALIZATIONS } from "@clip-e/shared";
export type { BundleSource, Normalization, PartFault, Picture } from "@clip-e/shared";
export type { AnswerCache } from "./app/answer_cache.ts";
export { APP_DEFAULTS, type AppOptions, createApp, type EdgeApp } from "./app/app.ts";
export { createMemoryCache, type MemoryCacheOptions } from "./app/memory_cache.ts";
export type { PageSource } from "./app/page.ts";
export { createRateLimiter, type RateLimiterOptions } from "./app/rate_limiter.ts";
export type { RequestRecord } from "./app/request_record.ts";
export * from "./backend/mod.ts";
export {
  type Classification,
  type Classifier,
  type ClassifierOptions,
  createClassifier,
  DEFAULT_MAX_PIXELS,
  type ImageSize,
  type PictureEmbedding,
  type Timings,
} from "./classifier.ts";
export type { DecoderModules } from "./decode/decoders.ts";
export type { PictureType } from "./decode/picture_header.ts";
export type { Decode } from "./decode/sharp_decoder.ts";
export type { CacheLike } from "./http/file_cache.ts";
export { type FileProgress, httpSource, type HttpSourceOptions } from "./http_source.ts";
export {
  type Method,
  type MethodInfo,
  METHODS,
  type ModelInfo,
  type TaxonomyInfo,
} from "./model_info.ts";
export type { ClassifyOptions } from "./plan.ts";
export type { Prediction, Score } from "./score.ts";
