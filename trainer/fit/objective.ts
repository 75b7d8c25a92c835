/**
 * What the training loop asks of a loss. There is one loop for all heads; an objective is what differs between them.
 * Functions consume the arrays that they are given, as jax-js's do.
 */

import type { Dense, Head, HeadInput } from "@clip-e/shared";
import type { numpy as np } from "@jax-js/jax";
import type { Random } from "../random.ts";
import type { Batch } from "./batch.ts";
import type { DenseParams } from "./layers.ts";

/** A head's weights on the device: dense layers, by their names in the head. */
export type HeadParams = { [layer: string]: DenseParams };

/** A loss and its head. */
export interface Objective<P extends HeadParams = HeadParams> {
  /** Whether batches must have `units`. */
  readonly units: boolean;
  /** `[K]` of `[C]`: what the head should score for an example of each label. */
  readonly targets: readonly Float32Array[];
  /**
   * Draws first weights.
   *
   * @param random from which
   */
  init(random: Random): P;
  /**
   * The loss of a batch, a scalar, and its gradients by the weights.
   *
   * @param params weights
   * @param batch examples
   */
  differentiate(params: P, batch: Batch): [loss: np.Array, gradients: P];
  /**
   * What the head says, `[B, C]`: the largest column is its answer.
   *
   * @param params weights
   * @param batch examples, of which `x` and `units` count
   */
  logits(params: P, batch: Batch): np.Array;
  /**
   * The loss of a batch, a scalar; absent where it is the cross entropy of softmax(`logits`) and `targets`, which needs
   * no whole batch.
   *
   * @param params weights
   * @param batch examples
   */
  batchLoss?(params: P, batch: Batch): np.Array;
  /**
   * Makes a head of trained weights.
   *
   * @param layers as on the device, by name
   * @param input what the first layer takes
   */
  toHead(layers: Readonly<Record<keyof P, Dense>>, input: HeadInput): Head;
  /** Frees what is on the device. */
  dispose(): void;
}
