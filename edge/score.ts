/**
 * An embedding to scores.
 */

import {
  type Bundle,
  ClipEError,
  contrastiveLogits,
  cosineLogits,
  crossEntropyLogits,
  type Normalization,
  scoreLogits,
  type Scoring,
} from "@clip-e/shared";
import type { Method } from "./model_info.ts";
import type { PlannedPrediction } from "./plan.ts";

/** One label's score. */
export interface Score {
  /** The label's id. */
  readonly label: string;
  /** In 0..1. */
  readonly score: number;
}

/** What one taxonomy says of a picture. */
export interface Prediction {
  /** The taxonomy's id. */
  readonly taxonomy: string;
  /** How it was answered. */
  readonly method: Method;
  /** How logits became scores: `softmax` scores of all labels sum to 1, `sigmoid` scores each on its own. */
  readonly normalization: Normalization;
  /** Present when a better method was passed over because something of it failed its check. */
  readonly degraded?: true;
  /** Highest first. */
  readonly scores: readonly Score[];
}

/**
 * Scores an embedding.
 *
 * @param bundle whose heads and prompts are used
 * @param planned how to answer
 * @param embedding `[D]`, as the encoder gives it
 * @param top how many scores to give
 */
export function scoreEmbedding(
  bundle: Bundle,
  planned: PlannedPrediction,
  embedding: Float32Array,
  top = Infinity,
): Prediction {
  const { taxonomy, method, degraded } = planned;
  const prediction = predict({
    taxonomy: taxonomy.id,
    method,
    labels: taxonomy.labels.map(({ id }) => id),
    logits: logits(bundle, taxonomy.id, method, embedding),
    scoring: planned,
    top,
  });
  return degraded ? { ...prediction, degraded } : prediction;
}

/** Logits, and what they are of. */
export interface LabelledLogits {
  /** The taxonomy's id. */
  readonly taxonomy: string;
  /** Where the logits come from. */
  readonly method: Method;
  /** What to call each. */
  readonly labels: readonly string[];
  /** In the order of labels. */
  readonly logits: ArrayLike<number>;
  /** How they become scores. */
  readonly scoring: Scoring;
  /** How many scores to give. */
  readonly top: number;
}

/**
 * Makes logits a prediction.
 *
 * @param labelled logits of one taxonomy, or of labels at request time
 */
export function predict(
  { taxonomy, method, labels, logits, scoring, top }: LabelledLogits,
): Prediction {
  const scores = scoreLogits(logits, scoring);
  return {
    taxonomy,
    method,
    normalization: scoring.normalization ?? "softmax",
    scores: labels.map((label, k) => ({ label, score: scores[k] }))
      .sort((a, b) => b.score - a.score)
      .slice(0, top),
  };
}

function logits(
  bundle: Bundle,
  taxonomy: string,
  method: Method,
  embedding: Float32Array,
): Float64Array {
  const entry = bundle.manifest.taxonomies.find(({ id }) => id === taxonomy)
    ?.methods.find((entry) => entry.method === method);
  const head = entry?.head === undefined ? undefined : bundle.heads.get(entry.head);
  const prompts = bundle.prompts.get(taxonomy);
  if (method === "cross-entropy" && head?.kind === method) {
    return crossEntropyLogits(head, embedding);
  }
  if (method === "contrastive" && head?.kind === method && prompts) {
    return contrastiveLogits(head, embedding, prompts);
  }
  if (method === "zero-shot" && prompts) return cosineLogits(embedding, prompts);
  throw new ClipEError("internal", `The plan named ${method} for ${taxonomy}, which cannot answer`);
}
