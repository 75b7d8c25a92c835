/**
 * The methods of a bundle, as the edge answers with them.
 */

import {
  type Bundle,
  contrastiveLogits,
  cosineLogits,
  crossEntropyLogits,
  type Head,
  type LabelName,
  type Prompts,
  scoreLogits,
  type Scoring,
  type Taxonomy,
} from "@clip-e/shared";

/** One way to answer for one taxonomy. */
export interface BundledMethod {
  /** What it answers for. */
  readonly taxonomy: Taxonomy<LabelName>;
  /** Its name in the bundle. */
  readonly method: string;
  /** None for zero-shot. */
  readonly head?: Head;
  /** None for a cross-entropy head. */
  readonly prompts?: Prompts;
  /** How its logits become scores. */
  readonly scoring: Scoring;
}

/**
 * Lists the methods of a bundle that can answer, of each taxonomy the best first.
 *
 * @param bundle opened
 */
export function bundledMethods({ manifest, heads, prompts }: Bundle): BundledMethod[] {
  return manifest.taxonomies.flatMap(({ methods, ...taxonomy }) =>
    methods.flatMap(({ method, head: id, temperature, normalization, bias }): BundledMethod[] => {
      const head = id === undefined ? undefined : heads.get(id);
      const vectors = prompts.get(taxonomy.id);
      const scoring = { temperature, normalization, bias };
      if (method === "cross-entropy") {
        return head?.kind === method ? [{ taxonomy, method, head, scoring }] : [];
      }
      if (!vectors) return [];
      if (method === "zero-shot") return [{ taxonomy, method, prompts: vectors, scoring }];
      return method === "contrastive" && head?.kind === method
        ? [{ taxonomy, method, head, prompts: vectors, scoring }]
        : [];
    })
  );
}

/**
 * Scores a picture.
 *
 * @param method by which
 * @param embedding `[D]`, as the encoder gives it
 * @returns `[K]`, summing to 1
 */
export function scoreBundled(
  { head, prompts, scoring }: BundledMethod,
  embedding: Float32Array,
): Float64Array {
  return comparableScores(logitsOf(head, prompts, embedding), scoring);
}

/**
 * Scores that sum to 1, so that methods can be compared: a softmax's do; a sigmoid's are divided by their sum.
 *
 * @param logits `[K]`
 * @param scoring how they become scores
 */
export function comparableScores(logits: Float64Array, scoring: Scoring): Float64Array {
  const scores = scoreLogits(logits, scoring);
  if ((scoring.normalization ?? "softmax") === "softmax") return scores;
  const sum = scores.reduce((a, b) => a + b, 0);
  return sum > 0 ? scores.map((v) => v / sum) : scores.fill(1 / scores.length);
}

/**
 * The logits of a method.
 *
 * @param head none for zero-shot
 * @param prompts none for a cross-entropy head
 * @param embedding `[D]`, as the encoder gives it
 * @returns `[K]`
 */
export function logitsOf(
  head: Head | undefined,
  prompts: Prompts | undefined,
  embedding: Float32Array,
): Float64Array {
  if (head?.kind === "cross-entropy") return crossEntropyLogits(head, embedding);
  if (!prompts) throw new RangeError("Cannot score without a head or prompts");
  return head ? contrastiveLogits(head, embedding, prompts) : cosineLogits(embedding, prompts);
}
