/**
 * The two CLIP-E heads (arXiv 2310.12062) and their forward passes: from the encoder's embedding to logits.
 * Layer names are those of the authors' published weights, so that a file of theirs reads as one of ours. A head without
 * `input`, `groups` and `blend` is the published one; these make variants of it.
 */

import { applyDense, type Dense } from "./dense.ts";
import { unitVector } from "./unit_vector.ts";
import { cosineLogits, type Prompts } from "./zero_shot.ts";

/** What a head may take of an embedding, by the name that it says it by. */
export const HEAD_INPUTS = ["raw", "unit"] as const;

/** What a head takes: the embedding as it comes (`raw`, as published), or divided by its length (`unit`). */
export type HeadInput = (typeof HEAD_INPUTS)[number];

/**
 * The cross-entropy head: `preds(relu(img_fc1(x)))`, with `x` the unnormalised embedding. It serves the taxonomy that
 * it was trained for. With one output unit (the published polarity head) the unit is the logit of the second label.
 */
export interface CrossEntropyHead {
  /** Names the kind, as the manifest does. */
  readonly kind: "cross-entropy";
  /** What `x` is; by default `raw`. */
  readonly input?: HeadInput;
  /** Hidden layer, `[D, H]`. */
  readonly img_fc1: Dense;
  /** Output layer, `[H, K]`, or `[H, 1]` for two labels. */
  readonly preds: Dense;
  /**
   * `[K]`: of each label that the head was trained on, the coarser label that it belongs to, from 0, or -1 where it has
   * none and is left out. With groups the head answers with the coarser labels, each with its fine labels' scores summed,
   * so that one head answers several taxonomies in agreement with itself.
   */
  readonly groups?: Int32Array;
}

/**
 * The contrastive head: `img_fc2(relu(img_fc1(x)))` lies in the text encoder's space, where the cosine to each prompt is
 * its label's logit. One such head serves every taxonomy that has prompts.
 */
export interface ContrastiveHead {
  /** Names the kind, as the manifest does. */
  readonly kind: "contrastive";
  /** What `x` is; by default `raw`. */
  readonly input?: HeadInput;
  /** Hidden layer, `[D, H]`. */
  readonly img_fc1: Dense;
  /** Projection into the prompts' space, `[H, P]`. */
  readonly img_fc2: Dense;
  /**
   * 0 to 1: how much of the projection's direction is mixed with that of the embedding itself, in the manner of
   * CLIP-Adapter (arXiv 2110.04544); 0 is zero-shot. Needs `P = D`. Without it, the projection alone counts.
   */
  readonly blend?: number;
}

/** Either head. */
export type Head = CrossEntropyHead | ContrastiveHead;

function relu(x: Float64Array): Float64Array {
  return x.map((v) => (v > 0 ? v : 0));
}

/** `relu(img_fc1(x))`, `[H]`. */
function hidden({ img_fc1, input }: Head, embedding: ArrayLike<number>): Float64Array {
  return relu(applyDense(img_fc1, input === "unit" ? unitVector(embedding) : embedding));
}

/**
 * Logits of the cross-entropy head.
 *
 * With groups, a coarse label's logit is the log-sum-exp of its fine labels' logits: `softmax` of these, at temperature 1,
 * is the sum of the fine scores at temperature 1, shared out anew where a fine label is left out. A temperature divides
 * what this function returns, so the grouped logits. That is not the same as dividing the fine ones: a temperature that
 * was fitted for the fine taxonomy does not hold for the coarse one, and at others than 1 the scores do not sum up.
 *
 * @param head the head
 * @param embedding `[D]`, unnormalised
 * @returns `[K]`, in label order; a single-unit head gives `[0, z]`, whose softmax is the sigmoid of `z`
 */
export function crossEntropyLogits(
  head: CrossEntropyHead,
  embedding: ArrayLike<number>,
): Float64Array {
  return labelLogits(head, applyDense(head.preds, hidden(head, embedding)));
}

/**
 * Logits of the cross-entropy head, from what its last layer gives: for those who compute that elsewhere, many pictures at
 * a time.
 *
 * @param head the head
 * @param outputs `[units of preds]`
 * @returns as {@linkcode crossEntropyLogits} does
 */
export function labelLogits(
  { groups }: CrossEntropyHead,
  outputs: ArrayLike<number>,
): Float64Array {
  const logits = outputs.length === 1 ? Float64Array.of(0, outputs[0]) : Float64Array.from(outputs);
  return groups ? groupLogits(logits, groups) : logits;
}

/**
 * How many labels a cross-entropy head answers with.
 *
 * @param head the head
 */
export function labelCount({ preds, groups }: CrossEntropyHead): number {
  return groups ? groupCount(groups) : Math.max(preds.units, 2);
}

function groupCount(groups: Int32Array): number {
  return groups.reduce((most, group) => Math.max(most, group), -1) + 1;
}

/**
 * Logits of coarse labels: the log-sum-exp of those of each one's fine labels, against the largest, so that it never
 * overflows.
 *
 * @param logits `[K]`, of fine labels
 * @param groups `[K]`, of each the coarse label, or -1
 * @returns in the order of coarse labels; one without fine labels has `-Infinity`
 * @throws {RangeError} when there are not as many groups as logits
 */
export function groupLogits(logits: ArrayLike<number>, groups: Int32Array): Float64Array {
  if (logits.length !== groups.length) {
    throw new RangeError(`Cannot group ${logits.length} logits by ${groups.length} groups`);
  }
  const largest = new Float64Array(groupCount(groups)).fill(-Infinity);
  groups.forEach((g, k) => g >= 0 && (largest[g] = Math.max(largest[g], logits[k])));
  const sums = new Float64Array(largest.length);
  groups.forEach((g, k) => g >= 0 && (sums[g] += Math.exp(logits[k] - largest[g])));
  return sums.map((sum, g) => largest[g] + Math.log(sum));
}

/**
 * Logits of the contrastive head: the cosine of the projected picture to each prompt.
 *
 * With a blend, of `blend · a/|a| + (1 - blend) · u` in place of the projection `a`, where `u` is the embedding divided by
 * its length, whatever the head's input.
 *
 * @param head the head
 * @param embedding `[D]`, unnormalised
 * @param prompts unit vectors, `[K, P]`
 * @returns `[K]`, in label order, each in -1..1
 * @throws {RangeError} when sizes differ that must be equal
 */
export function contrastiveLogits(
  head: ContrastiveHead,
  embedding: ArrayLike<number>,
  prompts: Prompts,
): Float64Array {
  return projectionLogits(
    head,
    applyDense(head.img_fc2, hidden(head, embedding)),
    embedding,
    prompts,
  );
}

/**
 * Logits of the contrastive head, from its projection: for those who compute that elsewhere, many pictures at a time.
 *
 * @param head the head
 * @param projected `[P]`, what its last layer gives
 * @param embedding `[D]`, unnormalised
 * @param prompts unit vectors, `[K, P]`
 * @returns as {@linkcode contrastiveLogits} does
 * @throws {RangeError} when sizes differ that must be equal
 */
export function projectionLogits(
  { blend }: ContrastiveHead,
  projected: ArrayLike<number>,
  embedding: ArrayLike<number>,
  prompts: Prompts,
): Float64Array {
  if (blend === undefined) return cosineLogits(projected, prompts);
  const [a, u] = [unitVector(projected), unitVector(embedding)];
  if (a.length !== u.length) {
    throw new RangeError(
      `Cannot blend a projection of ${a.length} numbers with an embedding of ${u.length}`,
    );
  }
  return cosineLogits(a.map((v, i) => blend * v + (1 - blend) * u[i]), prompts);
}
