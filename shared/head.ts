/**
 * The two CLIP-E heads (arXiv 2310.12062) and their forward passes: from the encoder's embedding to logits.
 * Layer names are those of the authors' published weights, so that a file of theirs reads as one of ours.
 */

import { applyDense, type Dense } from "./dense.ts";
import { cosineLogits, type Prompts } from "./zero_shot.ts";

/**
 * The cross-entropy head: `preds(relu(img_fc1(x)))`, with `x` the unnormalised embedding. It serves the taxonomy that
 * it was trained for. With one output unit (the published polarity head) the unit is the logit of the second label.
 */
export interface CrossEntropyHead {
  /** Names the kind, as the manifest does. */
  readonly kind: "cross-entropy";
  /** Hidden layer, `[D, H]`. */
  readonly img_fc1: Dense;
  /** Output layer, `[H, K]`, or `[H, 1]` for two labels. */
  readonly preds: Dense;
}

/**
 * The contrastive head: `img_fc2(relu(img_fc1(x)))` lies in the text encoder's space, where the cosine to each prompt is
 * its label's logit. One such head serves every taxonomy that has prompts.
 */
export interface ContrastiveHead {
  /** Names the kind, as the manifest does. */
  readonly kind: "contrastive";
  /** Hidden layer, `[D, H]`. */
  readonly img_fc1: Dense;
  /** Projection into the prompts' space, `[H, P]`. */
  readonly img_fc2: Dense;
}

/** Either head. */
export type Head = CrossEntropyHead | ContrastiveHead;

function relu(x: Float64Array): Float64Array {
  return x.map((v) => (v > 0 ? v : 0));
}

/**
 * Logits of the cross-entropy head.
 *
 * @param head the head
 * @param embedding `[D]`, unnormalised
 * @returns `[K]`, in label order; a single-unit head gives `[0, z]`, whose softmax is the sigmoid of `z`
 */
export function crossEntropyLogits(
  head: CrossEntropyHead,
  embedding: ArrayLike<number>,
): Float64Array {
  const logits = applyDense(head.preds, relu(applyDense(head.img_fc1, embedding)));
  return logits.length === 1 ? Float64Array.of(0, logits[0]) : logits;
}

/**
 * Logits of the contrastive head: the cosine of the projected picture to each prompt.
 *
 * @param head the head
 * @param embedding `[D]`, unnormalised
 * @param prompts unit vectors, `[K, P]`
 * @returns `[K]`, in label order, each in -1..1
 */
export function contrastiveLogits(
  head: ContrastiveHead,
  embedding: ArrayLike<number>,
  prompts: Prompts,
): Float64Array {
  return cosineLogits(applyDense(head.img_fc2, relu(applyDense(head.img_fc1, embedding))), prompts);
}
