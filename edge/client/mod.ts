/**
 * A typed client of the HTTP API, for pages, Node, Deno and Workers. It loads no other code, and no model.
 *
 * @module
 */

export type {
  ERROR_CODES,
  ErrorCode,
  Normalization,
  NORMALIZATIONS,
  PartFault,
} from "@clip-e/shared";
export type { Problem } from "../app/problem.ts";
export type { Classification, ImageSize, Timings } from "../classifier.ts";
export type { Method, MethodInfo, METHODS, ModelInfo, TaxonomyInfo } from "../model_info.ts";
export type { ClassifyOptions } from "../plan.ts";
export type { Prediction, Score } from "../score.ts";
export * from "./answers.ts";
export { ApiError, type ApiErrorCode, type TransportCode } from "./api_error.ts";
export {
  type CallOptions,
  type Client,
  type ClientOptions,
  createClient,
  type EmbeddingInSpace,
  type PictureFile,
  type ScoreCallOptions,
} from "./client.ts";
