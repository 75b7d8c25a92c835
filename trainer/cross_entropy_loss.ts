/**
 * What the cross-entropy head is trained to make small, in jax-js, which differentiates it. By jax-js's
 * convention a function consumes the arrays it is given: pass `.ref` (`tree.ref`) to keep one.
 */

import { nn, numpy as np } from "@jax-js/jax";

/** A dense layer on the device. A type, not an interface: jax-js trees need an index signature. */
export type DenseParams = {
  /** `[inputs, units]`. */
  kernel: np.Array;
  /** `[units]`. */
  bias: np.Array;
};

/** The head's weights on the device, under the names of its layers. */
export type CrossEntropyParams = {
  /** Hidden layer, `[D, H]`. */
  img_fc1: DenseParams;
  /** Output layer, `[H, K]`. */
  preds: DenseParams;
};

/** Examples on the device. */
export type Batch = {
  /** Inputs, `[B, D]`. */
  x: np.Array;
  /** Labels, whole numbers below K, `[B]`. */
  targets: np.Array;
  /** How much each example counts, `[B]`. */
  weights: np.Array;
};

/** `x · kernel + bias`. */
function dense({ kernel, bias }: DenseParams, x: np.Array): np.Array {
  return np.dot(x, kernel).add(bias);
}

/**
 * The mean over examples of the softmax cross entropy, each times its weight:
 * `-1/B Σ_i weights_i log softmax(relu(x_i · W1 + b1) · W2 + b2)[targets_i]`.
 *
 * @param params weights; consumed
 * @param batch examples; consumed
 * @returns a scalar
 */
export function crossEntropyLoss(params: CrossEntropyParams, batch: Batch): np.Array {
  const { x, targets, weights } = batch;
  const [size] = x.shape;
  const [classes] = params.preds.bias.shape;
  const logits = dense(params.preds, nn.relu(dense(params.img_fc1, x))); // [B, K]
  const likelihood = nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, classes)).sum(-1); // [B]
  return likelihood.mul(weights).sum().mul(-1 / size);
}
