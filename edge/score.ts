/**
 * An embedding to scores.
 */

import {
  type Bundle,
  ClipEError,
  contrastiveLogits,
  cosineLogits,
  crossEntropyLogits,
  softmax,
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
  /** How logits became scores: softmax scores of all labels sum to 1. */
  readonly normalization: "softmax";
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
  const { taxonomy, method, temperature, degraded } = planned;
  const scores = softmax(logits(bundle, taxonomy.id, method, embedding), temperature);
  const sorted = taxonomy.labels
    .map(({ id }, i) => ({ label: id, score: scores[i] }))
    .sort((a, b) => b.score - a.score);
  return {
    taxonomy: taxonomy.id,
    method,
    normalization: "softmax",
    ...(degraded && { degraded }),
    scores: sorted.slice(0, top),
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
