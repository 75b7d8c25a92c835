/**
 * Image bytes in, scores out: the classifier, and the HTTP app around it. What belongs to one runtime lies under
 * `adapter/`.
 *
 * @module
 */

export type { BundleSource, PartFault } from "@clip-e/shared";
export { APP_DEFAULTS, type AppOptions, createApp, type EdgeApp } from "./app/app.ts";
export type { PageSource } from "./app/page.ts";
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
export {
  type Method,
  type MethodInfo,
  METHODS,
  type ModelInfo,
  type TaxonomyInfo,
} from "./model_info.ts";
export type { ClassifyOptions } from "./plan.ts";
export type { Prediction, Score } from "./score.ts";
