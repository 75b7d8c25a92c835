/**
 * What the API answers, in the types of the code that answers it.
 */

import type { Problem } from "../app/problem.ts";
import type { Classification, ImageSize } from "../classifier.ts";
import type { ModelInfo } from "../model_info.ts";
import type { Prediction } from "../score.ts";

/** Which model answered. */
export type ModelName = Pick<ModelInfo, "name" | "bundle">;

/** What a picture evokes. */
export type Classified = Pick<Classification, "image" | "predictions">;

/** A picture's place in the embedding space. */
export interface Embedded {
  /** The picture's size. */
  readonly image: ImageSize;
  /** `[D]`, as the encoder gives it, not normalised. */
  readonly embedding: Float32Array;
}

/** Why one picture of several has no answer. */
export interface Failed {
  /** As it would have been answered alone. */
  readonly error: Problem;
}

/** What one picture evokes. */
export interface ClassifyAnswer extends Classified {
  /** Which model says so. */
  readonly model: ModelName;
}

/** What several pictures evoke. */
export interface ClassifyAllAnswer {
  /** Which model says so. */
  readonly model: ModelName;
  /** In the order of the pictures. */
  readonly results: readonly (Classified | Failed)[];
}

/** One picture's embedding. */
export interface EmbedAnswer extends Embedded {
  /** Which model made it. */
  readonly model: ModelName;
  /** What it is of; embeddings of different spaces do not compare. */
  readonly embeddingSpace: ModelInfo["embeddingSpace"];
}

/** Several pictures' embeddings. */
export interface EmbedAllAnswer {
  /** Which model made them. */
  readonly model: ModelName;
  /** What they are of. */
  readonly embeddingSpace: ModelInfo["embeddingSpace"];
  /** In the order of the pictures. */
  readonly results: readonly (Embedded | Failed)[];
}

/** What an embedding evokes. */
export interface ScoreAnswer {
  /** Which model says so. */
  readonly model: ModelName;
  /** One of each taxonomy. */
  readonly predictions: readonly Prediction[];
}

/** Whether a server can classify. */
export interface HealthAnswer {
  /** `degraded`, when something of the bundle failed its check. */
  readonly status: "ready" | "degraded";
  /** Parts of the bundle that are not in use. */
  readonly faults: ModelInfo["faults"];
}
