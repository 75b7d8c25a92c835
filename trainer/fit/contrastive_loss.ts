/**
 * What the contrastive head is trained to make small (arXiv 2310.12062, and the authors' notebooks), with its gradients by
 * hand. Functions consume the arrays that they are given.
 *
 * With `y_i` the unit projection of picture i, `t_i` the unit prompt of its label, and temperature T:
 *
 *     logits_ij  = t_i · y_j / T
 *     targets_ij = softmax over j of (t_i · t_j + y_i · y_j) / 2T
 *     loss = 1/2B Σ_i [H(targets_i, softmax(logits_i)) + H(targetsᵀ_i, softmax(logitsᵀ_i))],  H(q, p) = -Σ q log p
 *
 * The gradient flows through the targets as well, and targetsᵀ is not normalised again. Pictures of one label share their
 * prompt, so logits has no more than K different rows: with `o_ik` 1 where picture i has label k, what is done to logits
 * is done to `u_jk = p_k · y_j / T`, `[B, K]`, and of `[B, B]` there is only
 *
 *     e_ij = exp((t_i · t_j + y_i · y_j) / 2T - 1/T),  targets_ij = e_ij / Σ_j e_ij
 *
 * which is symmetric, and at most 1: on its diagonal. jax-js would fuse one program of all this into one that computes
 * exponentials over and over, so it is cut where a matrix should be kept.
 */

import type { ContrastiveHead, Prompts } from "@clip-e/shared";
import { jit, nn, numpy as np, scipySpecial, tree } from "@jax-js/jax";
import { columnOffset, columnTargets, promptColumns } from "./columns.ts";
import { dense, type DenseParams, firstLayer } from "./layers.ts";
import type { Objective } from "./objective.ts";

/** The head's weights on the device, under the names of its layers. */
export type ContrastiveParams = {
  /** Hidden layer, `[D, H]`. */
  img_fc1: DenseParams;
  /** Projection, `[H, P]`. */
  img_fc2: DenseParams;
};

/** What a picture becomes on its way through the head. */
type Forward = {
  /** `relu(x · W1 + b1)`, `[B, H]`. */
  h: np.Array;
  /** The unit projection, `[B, P]`. */
  y: np.Array;
  /** Of the projection before, `[B, 1]`. */
  length: np.Array;
};

/** Of the loss. */
type Comparison = {
  /** A scalar. */
  loss: np.Array;
  /** Its gradient by y through logits alone, `[B, P]`. */
  dy: np.Array;
  /** `2 u_jk - log Σ_i exp(logits_ij)` where k is picture i's label, at `[j, i]`. */
  pull: np.Array;
  /** Their mean over j by targets_ij, `[B, 1]`. */
  mean: np.Array;
  /** `Σ_j e_ij`, `[B, 1]`. */
  total: np.Array;
};

const KEEP = { keepdims: true };
/** A projection shorter than the root of this has no direction. */
const TINY = 1e-12;
/** The log of no pictures. */
const NONE = -1e9;

/** `x -> h -> y`. */
function forward({ img_fc1, img_fc2 }: ContrastiveParams, x: np.Array): Forward {
  const h = nn.relu(dense(img_fc1, x));
  const projection = dense(img_fc2, h.ref);
  const length = np.sqrt(np.maximum(np.square(projection.ref).sum(-1, KEEP), TINY));
  return { h, y: projection.div(length.ref), length };
}

/** The gradients of the weights, from that of the projection, `[B, P]`. */
function backward(
  { img_fc1, img_fc2 }: ContrastiveParams,
  x: np.Array,
  h: np.Array,
  dProjection: np.Array,
): ContrastiveParams {
  const dHidden = np.dot(dProjection.ref, img_fc2.kernel.transpose());
  const dSum = np.where(h.ref.greater(0), dHidden, 0);
  tree.dispose([img_fc1, img_fc2.bias]);
  return {
    img_fc1: { kernel: np.dot(x.transpose(), dSum.ref), bias: dSum.sum(0) },
    img_fc2: { kernel: np.dot(h.transpose(), dProjection.ref), bias: dProjection.sum(0) },
  };
}

/** The parts of the loss that a temperature goes into. */
function atTemperature(temperature: number) {
  const scale = 1 / temperature;
  return {
    /** e, `[B, B]`, from y, labels o `[B, C]`, and the prompts' products `[C, C]`. */
    similarity(y: np.Array, o: np.Array, products: np.Array): np.Array {
      const texts = np.dot(np.dot(o.ref, products), o.transpose());
      return np.exp(np.dot(y.ref, y.transpose()).add(texts).mul(scale / 2).add(-scale));
    },

    /** Cosines to the prompts, and never one to padding, `[B, C]`. */
    cosines: (y: np.Array, prompts: np.Array, offset: np.Array): np.Array =>
      np.dot(y, prompts.transpose()).add(offset),

    /** The loss, and all of its gradient that is of `[B, C]`. */
    compare(e: np.Array, y: np.Array, o: np.Array, prompts: np.Array): Comparison {
      const [size] = y.shape;
      const count = o.ref.sum(0); // [C]
      const logCount = np.where(count.ref.greater(0), np.log(np.maximum(count.ref, 1)), NONE);
      const u = np.dot(y, prompts.ref.transpose()).mul(scale); // [B, C]
      const overTexts = scipySpecial.logsumexp(u.ref.add(logCount.ref), -1, KEEP); // [B, 1]
      const overPictures = scipySpecial.logsumexp(u.ref, 0, KEEP); // [1, C]

      const total = e.ref.sum(-1, KEEP); // [B, 1]
      const mass = np.dot(e.ref, o.ref.div(total.ref)); // [j, k]: Σ targets_ij over i of label k
      const column = mass.ref.sum(-1, KEEP); // [B, 1]: Σ_i targets_ij, not 1
      const v = u.ref.mul(2).sub(overTexts.ref);
      const loss = mass.ref.mul(v.ref.sub(overPictures.ref)).sum(-1).sum().mul(-1 / (2 * size));

      const row = np.exp(u.ref.sub(overPictures)).mul(count);
      const transposed = np.exp(u.add(logCount).sub(overTexts)).mul(column);
      const du = mass.mul(2).sub(row).sub(transposed).mul(-scale / (2 * size));
      const mean = np.dot(e, v.ref).mul(o.ref).sum(-1, KEEP).div(total.ref);
      return { loss, dy: np.dot(du, prompts), pull: np.dot(v, o.transpose()), mean, total };
    },

    /** How far each picture is pushed by each other through the targets, `[B, B]`, symmetric. */
    push(e: np.Array, pull: np.Array, mean: np.Array, total: np.Array): np.Array {
      const [size] = e.shape;
      const rate = np.reciprocal(total).mul(-scale / (4 * size));
      const d = pull.sub(mean.transpose()).mul(rate.transpose()); // [j, i]
      return e.mul(d.ref.add(d.transpose()));
    },

    /** The gradient by the projection, from that by y. */
    project(push: np.Array, y: np.Array, length: np.Array, dy: np.Array): np.Array {
      const all = dy.add(np.dot(push, y.ref));
      const along = y.ref.mul(all.ref).sum(-1, KEEP);
      return all.sub(y.mul(along)).div(length);
    },
  };
}

/** Of the contrastive head. */
export interface ContrastiveOptions {
  /** D. */
  readonly size: number;
  /** H. */
  readonly hidden: number;
  /** Of the labels, in order: K unit vectors. */
  readonly prompts: Prompts;
  /** T. */
  readonly temperature: number;
  /** The first layer's first weights; the projection's are Glorot's. */
  readonly initial: "glorot" | "he";
}

/**
 * The contrastive head as an objective. Its loss compares the pictures of a batch with one another, so a batch's rows must
 * all be examples.
 *
 * @param options of the head
 */
export function contrastiveObjective(
  { size, hidden, prompts, temperature, initial }: ContrastiveOptions,
): Objective<ContrastiveParams> {
  const vectors = promptColumns(prompts); // [C, P]
  const offset = columnOffset(prompts.count); // [C]
  const products = np.dot(vectors.ref, vectors.ref.transpose()); // [C, C]
  const parts = atTemperature(temperature);
  const programs = {
    forward: jit(forward),
    similarity: jit(parts.similarity),
    cosines: jit(parts.cosines),
    compare: jit(parts.compare),
    push: jit(parts.push),
    project: jit(parts.project),
    backward: jit(backward),
  };
  return {
    units: false,
    targets: columnTargets(prompts.count),
    init: (random) => ({
      img_fc1: firstLayer(size, hidden, initial, random),
      img_fc2: firstLayer(hidden, prompts.size, "glorot", random),
    }),
    differentiate(params, { x, targets, weights }) {
      weights.dispose();
      const { h, y, length } = programs.forward(tree.ref(params), x.ref);
      const e = programs.similarity(y.ref, targets.ref, products.ref);
      const { loss, dy, pull, mean, total } = programs.compare(
        e.ref,
        y.ref,
        targets,
        vectors.ref,
      );
      const push = programs.push(e, pull, mean, total);
      return [loss, programs.backward(params, x, h, programs.project(push, y, length, dy))];
    },
    logits(params, { x, targets, weights }) {
      const { h, y, length } = programs.forward(params, x);
      tree.dispose([targets, weights, h, length]);
      return programs.cosines(y, vectors.ref, offset.ref);
    },
    batchLoss(params, { x, targets, weights }) {
      const { h, y, length } = programs.forward(params, x);
      const e = programs.similarity(y.ref, targets.ref, products.ref);
      const { loss, ...rest } = programs.compare(e, y, targets, vectors.ref);
      tree.dispose([weights, h, length, rest]);
      return loss;
    },
    toHead: ({ img_fc1, img_fc2 }, input): ContrastiveHead => ({
      kind: "contrastive",
      ...(input === "unit" && { input }),
      img_fc1,
      img_fc2,
    }),
    dispose() {
      tree.dispose([vectors, offset, products]);
      for (const program of Object.values(programs)) program.dispose();
    },
  };
}
