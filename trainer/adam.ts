/**
 * Adam with decoupled weight decay, out of transformations that compose: each is a value `{ init, update }`
 * that turns gradients into the change of the weights, step by step (the manner of optax).
 * By jax-js's convention a function consumes the arrays it is given.
 */

import { type JsTree, numpy as np, tree } from "@jax-js/jax";

/** Arrays in a tree of any form. */
export type Arrays = JsTree<np.Array>;

/** Turns gradients into updates. */
export interface Transformation<S extends Arrays> {
  /** The state before the first step. Does not consume the weights. */
  init(params: Arrays): S;
  /** Updates of the weights' form, and the next state. Consumes the gradients and the state only. */
  update<P extends Arrays>(gradients: P, state: S, params: P): [P, S];
}

/** What Adam remembers: running averages. */
export type AdamState = {
  /** Of the gradient, one for each weight. */
  mean: Arrays;
  /** Of its square. */
  square: Arrays;
  /** Of ones, as `mean` averages: what a true average would have reached by now. */
  meanWeight: np.Array;
  /** Of ones, as `square` averages. */
  squareWeight: np.Array;
};
