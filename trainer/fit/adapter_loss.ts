/**
 * What a contrastive head with a blend is trained to make small: a residual adapter in the manner of CLIP-Adapter (Gao and
 * others, arXiv 2110.04544). It turns the embedding a little towards the prompts, and is trained as a classifier over them.
 * jax-js differentiates it. Functions consume the arrays that they are given.
 */

import type { ContrastiveHead, Prompts } from "@clip-e/shared";
import { jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import type { Batch } from "./batch.ts";
import { columnOffset, columnTargets, promptColumns } from "./columns.ts";
import type { ContrastiveParams } from "./contrastive_loss.ts";
import { dense, firstLayer } from "./layers.ts";
import type { Objective } from "./objective.ts";

/** What the adapter is held against. */
export type AdapterPrompts = {
  /** Unit vectors, `[C, P]`. */
  vectors: np.Array;
  /** Added to each column's logit, `[C]`. */
  offset: np.Array;
};

/** `1 / |v|`, for each row; a row shorter than 1e-6 has no direction. */
function inverseLength(v: np.Array): np.Array {
  return np.reciprocal(np.sqrt(np.maximum(np.square(v).sum(-1, { keepdims: true }), 1e-12)));
}

/**
 * The logits: `z · prompt_k / (|z| T)` with `z = blend · a / |a| + (1 - blend) · u`, where
 * `a = relu(x · W1 + b1) · W2 + b2` and u is the embedding divided by its length.
 *
 * @param params weights
 * @param x inputs, `[B, D]`
 * @param units u, `[B, P]`
 * @param prompts to compare with
 * @param blend from 0 to 1
 * @param temperature T
 * @returns `[B, C]`
 */
export function adapterColumns(
  { img_fc1, img_fc2 }: ContrastiveParams,
  x: np.Array,
  units: np.Array,
  { vectors, offset }: AdapterPrompts,
  blend: number,
  temperature: number,
): np.Array {
  const a = dense(img_fc2, nn.relu(dense(img_fc1, x)));
  const direction = a.ref.mul(inverseLength(a));
  const z = direction.mul(blend).add(units.mul(1 - blend));
  const cosines = np.dot(z.ref, vectors.transpose()).mul(inverseLength(z));
  return cosines.mul(1 / temperature).add(offset);
}

function present(units: np.Array | undefined): np.Array {
  if (units) return units;
  throw new TypeError("Cannot blend: the batch has no `units`");
}

/** Of the adapter. */
export interface AdapterOptions {
  /** D, which is also P. */
  readonly size: number;
  /** H. */
  readonly hidden: number;
  /** Of the labels, in order: K unit vectors. */
  readonly prompts: Prompts;
  /** How much of the projection's direction is mixed with that of the embedding, above 0 to 1. */
  readonly blend: number;
  /** T: CLIP's own logit scale is 1 / 0.01. */
  readonly temperature: number;
  /** The share of an example that is dealt out to all labels alike. */
  readonly labelSmoothing: number;
  /** The first layer's first weights; the projection's are Glorot's. */
  readonly initial: "glorot" | "he";
}

/**
 * The adapter as an objective: the weighted mean over examples of the softmax cross entropy over the K prompts.
 *
 * @param options of the head
 */
export function adapterObjective(
  { size, hidden, prompts, blend, temperature, labelSmoothing, initial }: AdapterOptions,
): Objective<ContrastiveParams> {
  const columns: AdapterPrompts = {
    vectors: promptColumns(prompts),
    offset: columnOffset(prompts.count),
  };
  const score = (params: ContrastiveParams, x: np.Array, u: np.Array, columns: AdapterPrompts) =>
    adapterColumns(params, x, u, columns, blend, temperature);
  const loss = (
    params: ContrastiveParams,
    { x, targets, weights, units }: Batch,
    columns: AdapterPrompts,
  ) => {
    const [rows] = x.shape;
    const scores = nn.logSoftmax(score(params, x, present(units), columns), -1);
    return scores.mul(targets).sum(-1).mul(weights).sum().mul(-1 / rows);
  };
  const differentiate = jit((params: ContrastiveParams, batch: Batch, columns: AdapterPrompts) =>
    valueAndGrad(loss)(params, batch, columns)
  );
  const logits = jit(score);
  return {
    units: true,
    targets: columnTargets(prompts.count, labelSmoothing),
    init: (random) => ({
      img_fc1: firstLayer(size, hidden, initial, random),
      img_fc2: firstLayer(hidden, prompts.size, "glorot", random),
    }),
    differentiate: (params, batch) => differentiate(params, batch, tree.ref(columns)),
    logits(params, { x, targets, weights, units }) {
      tree.dispose([targets, weights]);
      return logits(params, x, present(units), tree.ref(columns));
    },
    toHead: ({ img_fc1, img_fc2 }, input): ContrastiveHead => ({
      kind: "contrastive",
      ...(input === "unit" && { input }),
      img_fc1,
      img_fc2,
      blend,
    }),
    dispose() {
      tree.dispose(columns);
      differentiate.dispose();
      logits.dispose();
    },
  };
}
