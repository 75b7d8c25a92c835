import { numpy as np, tree } from "@jax-js/jax";
import assert from "node:assert/strict";
import {
  adamW,
  applyUpdates,
  type Arrays,
  chain,
  decayKernels,
  type Transformation,
} from "../../../trainer/fit/adam.ts";
import { seededRandom } from "../../random.ts";

type Layer = { kernel: np.Array; bias: np.Array };

const SHAPES = { kernel: [5, 4], bias: [4] } as const;

function toLayer(kernel: Float64Array, bias: Float64Array): Layer {
  return {
    kernel: np.array(Float32Array.from(kernel), { shape: [...SHAPES.kernel] }),
    bias: np.array(Float32Array.from(bias), { shape: [...SHAPES.bias] }),
  };
}

/** Algorithm 1 of arXiv 1412.6980, with the decay of arXiv 1711.05101, one weight at a time. */
class PlainAdam {
  readonly #mean: Float64Array;
  readonly #square: Float64Array;
  #t = 0;

  constructor(
    readonly weights: Float64Array,
    readonly learningRate: number,
    readonly weightDecay: number,
  ) {
    this.#mean = new Float64Array(weights.length);
    this.#square = new Float64Array(weights.length);
  }

  step(gradient: Float64Array) {
    this.#t++;
    for (let i = 0; i < gradient.length; i++) {
      this.#mean[i] = 0.9 * this.#mean[i] + 0.1 * gradient[i];
      this.#square[i] = 0.999 * this.#square[i] + 0.001 * gradient[i] ** 2;
      const mean = this.#mean[i] / (1 - 0.9 ** this.#t);
      const square = this.#square[i] / (1 - 0.999 ** this.#t);
      this.weights[i] -= this.learningRate *
        (mean / (Math.sqrt(square) + 1e-8) + this.weightDecay * this.weights[i]);
    }
  }
}

/** Multiplies updates. */
const scale = (factor: number): Transformation<Layer> => ({
  init: () => [],
  update: (
    { kernel, bias },
    state,
  ) => [{ kernel: kernel.mul(factor), bias: bias.mul(factor) }, state],
});

Deno.test("adamW() takes the steps of Adam with decoupled decay on kernels only", () => {
  const random = seededRandom(11);
  const [learningRate, weightDecay] = [0.01, 0.3];
  const kernel = new PlainAdam(Float64Array.from(random.floats(20)), learningRate, weightDecay);
  const bias = new PlainAdam(Float64Array.from(random.floats(4)), learningRate, 0);
  const optimizer = chain<Layer>(adamW(weightDecay), scale(-learningRate));
  let params = toLayer(kernel.weights, bias.weights);
  let state = optimizer.init(params);
  let worst = 0;
  for (let step = 1; step <= 20; step++) {
    // Gradients of many sizes: at 1e-8 it shows where epsilon is added.
    const gradients = [20, 4].map((length) =>
      Float64Array.from(random.floats(length), (v, i) => Math.fround((v + 0.5) * 10 ** -(i % 9)))
    );
    const before = [kernel, bias].map(({ weights }) => weights.slice());
    kernel.step(gradients[0]);
    bias.step(gradients[1]);
    let updates: Layer;
    [updates, state] = optimizer.update(toLayer(gradients[0], gradients[1]), state, params);
    const changes = tree.ref(updates);
    for (const [p, { weights }] of [kernel, bias].entries()) {
      const actual = (p === 0 ? changes.kernel : changes.bias).dataSync();
      for (let i = 0; i < weights.length; i++) {
        const error = Math.abs(actual[i] - (weights[i] - before[p][i]));
        worst = Math.max(worst, error / learningRate);
      }
    }
    params = applyUpdates(params, updates);
  }
  assert.ok(worst < 3e-6, `an update is off by ${worst} learning rates`);
  const [kernels, biases] = [params.kernel.dataSync(), params.bias.dataSync()];
  kernel.weights.forEach((w, i) => assert.ok(Math.abs(kernels[i] - w) < 2e-6, `kernel ${i}`));
  bias.weights.forEach((w, i) => assert.ok(Math.abs(biases[i] - w) < 2e-6, `bias ${i}`));
  tree.dispose(state);
});

Deno.test("adamW() decays a kernel that has no gradient, and leaves such a bias alone", () => {
  const params = toLayer(new Float64Array(20).fill(2), new Float64Array(4).fill(2));
  const optimizer = chain<Layer>(adamW(0.25), scale(-0.5));
  const none = toLayer(new Float64Array(20), new Float64Array(4));
  const [updates, state] = optimizer.update(none, optimizer.init(params), params);
  const { kernel, bias } = applyUpdates(params, updates);
  assert.deepEqual([...kernel.dataSync()], new Array(20).fill(2 - 0.5 * 0.25 * 2));
  assert.deepEqual([...bias.dataSync()], new Array(4).fill(2));
  tree.dispose(state);
});

Deno.test("chain() lets each transformation see what the one before it made", () => {
  const run = (...links: Parameters<typeof chain<Layer>>) => {
    const params = toLayer(new Float64Array(20).fill(3), new Float64Array(4).fill(3));
    const gradients = toLayer(new Float64Array(20).fill(1), new Float64Array(4).fill(1));
    const optimizer = chain<Layer>(...links);
    const [updates, state] = optimizer.update(gradients, optimizer.init(params), params);
    tree.dispose([params, state] as Arrays);
    return [updates.kernel.dataSync()[0], updates.bias.dataSync()[0]];
  };
  assert.deepEqual(run(decayKernels<Layer>(2), scale(10)), [70, 10]);
  assert.deepEqual(run(scale(10), decayKernels<Layer>(2)), [16, 10]);
});
