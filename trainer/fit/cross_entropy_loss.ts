/**
 * What the cross-entropy head is trained to make small, in jax-js, which differentiates it. Functions consume the arrays
 * that they are given.
 */

import type { CrossEntropyHead } from "@clip-e/shared";
import { jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import type { Batch } from "./batch.ts";
import { columnOffset, columnTargets } from "./columns.ts";
import {
  dense,
  type DenseParams,
  firstLayer,
  type Initializer,
  narrow,
  padUnits,
} from "./layers.ts";
import type { Objective } from "./objective.ts";

/** The head's weights on the device, under the names of its layers. */
export type CrossEntropyParams = {
  /** Hidden layer, `[D, H]`. */
  img_fc1: DenseParams;
  /** Output layer, `[H, C]`. */
  preds: DenseParams;
};

/** How the head's output units become the C columns of a softmax. */
export type Columns = {
  /** `[C]`: 1 for a column with a unit of its own, else 0. */
  keep: np.Array;
  /** `[C]`: added to each column; so low for a column that is padding that it scores 0. */
  offset: np.Array;
};

/**
 * The logits of the head: `(relu(x · W1 + b1) · W2 + b2) * keep + offset`.
 *
 * @param params weights
 * @param x inputs, `[B, D]`
 * @param columns of the output
 * @returns `[B, C]`
 */
export function crossEntropyColumns(
  { img_fc1, preds }: CrossEntropyParams,
  x: np.Array,
  { keep, offset }: Columns,
): np.Array {
  return dense(preds, nn.relu(dense(img_fc1, x))).mul(keep).add(offset);
}

/**
 * The mean over examples of the softmax cross entropy, each times its weight:
 * `-1/B Σ_i weights_i Σ_c targets_ic log softmax(logits_i)_c`.
 *
 * @param params weights
 * @param batch examples
 * @param columns of the output
 * @returns a scalar
 */
export function crossEntropyLoss(
  params: CrossEntropyParams,
  { x, targets, weights }: Batch,
  columns: Columns,
): np.Array {
  const [size] = x.shape;
  const scores = nn.logSoftmax(crossEntropyColumns(params, x, columns), -1);
  return scores.mul(targets).sum(-1).mul(weights).sum().mul(-1 / size);
}

/** Of the cross-entropy head. */
export interface CrossEntropyOptions {
  /** D. */
  readonly size: number;
  /** H. */
  readonly hidden: number;
  /** K. */
  readonly classes: number;
  /**
   * `softmax` over a unit for each label, or, for two labels, `sigmoid` of one unit that is the second label's logit: the
   * published polarity head.
   */
  readonly output: "softmax" | "sigmoid";
  /** The share of an example that is dealt out to all labels alike (arXiv 1512.00567). */
  readonly labelSmoothing: number;
  /** First weights: Glorot's, or He's and an output layer of 0, which starts without an opinion. */
  readonly initial: "glorot" | "he";
}

/**
 * The cross-entropy head as an objective.
 *
 * A sigmoid is a softmax over two columns of which the second is always 0, so that one loss serves both outputs.
 *
 * @param options of the head
 */
export function crossEntropyObjective(
  { size, hidden, classes, output, labelSmoothing, initial }: CrossEntropyOptions,
): Objective<CrossEntropyParams> {
  const sigmoid = output === "sigmoid";
  const units = sigmoid ? 1 : classes;
  const width = padUnits(classes);
  const targets = columnTargets(classes, labelSmoothing);
  const columns: Columns = {
    keep: np.array(new Float32Array(width).fill(1, 0, units)),
    offset: columnOffset(classes),
  };
  const differentiate = jit((params: CrossEntropyParams, batch: Batch, columns: Columns) =>
    valueAndGrad(crossEntropyLoss)(params, batch, columns)
  );
  const logits = jit(crossEntropyColumns);
  const outputInitializer: Initializer = initial === "he" ? "zeros" : "glorot";
  return {
    units: false,
    // The sigmoid's unit, in the first column, is of the second label.
    targets: sigmoid ? targets.reverse() : targets,
    init: (random) => ({
      img_fc1: firstLayer(size, hidden, initial, random),
      preds: firstLayer(hidden, units, outputInitializer, random, width),
    }),
    differentiate: (params, batch) => differentiate(params, batch, tree.ref(columns)),
    logits(params, { x, targets, weights }) {
      tree.dispose([targets, weights]);
      return logits(params, x, tree.ref(columns));
    },
    toHead: ({ img_fc1, preds }, input): CrossEntropyHead => ({
      kind: "cross-entropy",
      ...(input === "unit" && { input }),
      img_fc1,
      preds: narrow(preds, units),
    }),
    dispose() {
      tree.dispose(columns);
      differentiate.dispose();
      logits.dispose();
    },
  };
}
