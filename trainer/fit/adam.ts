/**
 * Adam with decoupled weight decay, made of transformations that compose: each is a value
 * `{ init, update }` that turns gradients into changes of the weights (the manner of optax).
 * By jax-js's convention a function consumes the arrays it is given, unless it says otherwise.
 */

import { type JsTree, numpy as np, tree } from "@jax-js/jax";

/** Arrays on the device, in a tree of any form. */
export type Arrays = JsTree<np.Array>;

/** Turns gradients into updates, which are to be added to the weights. */
export interface Transformation<P extends Arrays, S extends Arrays = Arrays> {
  /** The state before the first step. Does not consume the weights. */
  init(params: P): S;
  /** Updates in the weights' form, and the next state. Does not consume the weights. */
  update(gradients: P, state: S, params: P): [updates: P, state: S];
}

/** Running averages, all from 0. */
export type AdamState<P extends Arrays> = {
  /** Of the gradient. */
  mean: P;
  /** Of its square. */
  square: P;
  /** Of ones, at the rate of `mean`: how much of the whole average it has by now. */
  meanWeight: np.Array;
  /** Of ones, at the rate of `square`. */
  squareWeight: np.Array;
};

/**
 * Scales gradients by Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1). Its bias corrections `1 - β^t`
 * are kept as averages of ones, which lose no digits where β^t is close to 1.
 *
 * @param beta1 rate of the gradient's average
 * @param beta2 rate of its square's
 * @param epsilon keeps the division finite
 */
export function scaleByAdam<P extends Arrays>(
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
): Transformation<P, AdamState<P>> {
  const average = (beta: number, old: np.Array, x: np.Array | number) =>
    old.mul(beta).add(typeof x === "number" ? x * (1 - beta) : x.mul(1 - beta));
  return {
    init: (params) => ({
      mean: zerosLike(params),
      square: zerosLike(params),
      meanWeight: np.zeros([]),
      squareWeight: np.zeros([]),
    }),
    update(gradients, state) {
      const mean = map2((m, g) => average(beta1, m, g), state.mean, tree.ref(gradients));
      const square = map2((s, g) => average(beta2, s, np.square(g)), state.square, gradients);
      const meanWeight = average(beta1, state.meanWeight, 1);
      const squareWeight = average(beta2, state.squareWeight, 1);
      const updates = map2(
        (m, s) => m.div(meanWeight.ref).div(np.sqrt(s.div(squareWeight.ref)).add(epsilon)),
        tree.ref(mean),
        tree.ref(square),
      );
      return [updates, { mean, square, meanWeight, squareWeight }];
    },
  };
}

/**
 * Adds to the updates a share of each kernel, as decoupled weight decay does (Loshchilov and Hutter,
 * arXiv 1711.05101). Biases, which are vectors, are left alone.
 *
 * @param rate the share
 */
export function decayKernels<P extends Arrays>(rate: number): Transformation<P> {
  return {
    init: () => [],
    update(gradients, state, params) {
      const decay = (g: np.Array, p: np.Array) => p.ndim < 2 ? g : g.add(p.ref.mul(rate));
      return [map2(decay, gradients, params), state];
    },
  };
}

/**
 * One transformation after the other.
 *
 * @param links in order, the first to see the gradients
 */
export function chain<P extends Arrays>(
  ...links: Transformation<P>[]
): Transformation<P, Arrays[]> {
  return {
    init: (params) => links.map((link) => link.init(params)),
    update(gradients, states, params) {
      let updates = gradients;
      const next = links.map((link, i) => {
        const [changed, state] = link.update(updates, states[i], params);
        updates = changed;
        return state;
      });
      return [updates, next];
    },
  };
}

/**
 * Adam with decoupled weight decay on kernels. Its updates are to be taken times the negative learning rate:
 * `adam(gradient) + weightDecay p` for each weight p.
 *
 * @param weightDecay the share of a kernel that a step of size 1 would take away
 */
export function adamW<P extends Arrays>(weightDecay: number): Transformation<P, Arrays[]> {
  return chain(scaleByAdam<P>(), decayKernels<P>(weightDecay));
}

/**
 * Adds updates to weights.
 *
 * @param params the weights
 * @param updates in the weights' form
 * @returns the new weights
 */
export function applyUpdates<P extends Arrays>(params: P, updates: P): P {
  return map2((p, u) => p.add(u), params, updates);
}

/** `tree.map` over two trees of one form. */
function map2<P extends Arrays>(f: (a: np.Array, b: np.Array) => np.Array, a: P, b: P): P {
  return tree.map<np.Array, np.Array, P>(f, a, b) as P;
}

function zerosLike<P extends Arrays>(params: P): P {
  return map2(({ shape, dtype }) => np.zeros(shape, { dtype }), params, params);
}
