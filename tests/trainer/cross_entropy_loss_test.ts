/**
 * The loss is judged by a second implementation of it, in plain double precision, and its gradients by
 * central differences of that one: nothing here trusts a derivative, neither jax-js's nor one by hand.
 * The device computes in single precision, as in training.
 */

import { numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import assert from "node:assert/strict";
import {
  type Batch,
  crossEntropyLoss,
  type CrossEntropyParams,
} from "../../trainer/cross_entropy_loss.ts";
import { type Random, seededRandom } from "../random.ts";

const NAMES = ["img_fc1.kernel", "img_fc1.bias", "preds.kernel", "preds.bias"] as const;
type Name = (typeof NAMES)[number];

/** Weights and examples off the device; each number is a 32-bit float, so that the device sees the same. */
interface Problem {
  readonly examples: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly classes: number;
  readonly params: Readonly<Record<Name, Float64Array>>;
  readonly x: Float64Array;
  readonly targets: Int32Array;
  readonly weights: Float64Array;
}

function problem(classes: number, weighted: boolean, random: Random): Problem {
  const [examples, inputs, hidden] = [7, 9, 11];
  const floats = (length: number) => Float64Array.from(random.floats(length));
  const classWeights = Array.from(
    { length: classes },
    () => weighted ? Math.fround(0.2 + 2 * random.fraction()) : 1,
  );
  const targets = Int32Array.from({ length: examples }, () => random.integer(0, classes - 1));
  return {
    examples,
    inputs,
    hidden,
    classes,
    params: {
      "img_fc1.kernel": floats(inputs * hidden),
      "img_fc1.bias": floats(hidden),
      "preds.kernel": floats(hidden * classes),
      "preds.bias": floats(classes),
    },
    x: floats(examples * inputs).map((v) => 2 * v),
    targets,
    weights: Float64Array.from(targets, (target) => classWeights[target]),
  };
}

/** The hidden layer of one example before its ReLU, `[H]`. */
function beforeRelu({ params, x, inputs, hidden }: Problem, example: number): number[] {
  return Array.from({ length: hidden }, (_, h) => {
    let sum = params["img_fc1.bias"][h];
    for (let d = 0; d < inputs; d++) {
      sum += x[example * inputs + d] * params["img_fc1.kernel"][d * hidden + h];
    }
    return sum;
  });
}

/** The same loss, in plain double precision. */
function plainLoss(p: Problem): number {
  let loss = 0;
  for (let i = 0; i < p.examples; i++) {
    const active = beforeRelu(p, i).map((v) => Math.max(0, v));
    const logits = Array.from({ length: p.classes }, (_, k) => {
      return active.reduce(
        (sum, a, h) => sum + a * p.params["preds.kernel"][h * p.classes + k],
        p.params["preds.bias"][k],
      );
    });
    const largest = Math.max(...logits);
    const total = logits.reduce((sum, z) => sum + Math.exp(z - largest), 0);
    loss += p.weights[i] * (largest + Math.log(total) - logits[p.targets[i]]);
  }
  return loss / p.examples;
}

const STEP = 1e-5;

/** Central differences of the plain loss: good to about STEP squared. */
function differences(p: Problem, name: Name): Float64Array {
  const weights = p.params[name];
  return weights.map((weight, i) => {
    weights[i] = weight + STEP;
    const above = plainLoss(p);
    weights[i] = weight - STEP;
    const below = plainLoss(p);
    weights[i] = weight;
    return (above - below) / (2 * STEP);
  });
}

function onDevice(p: Problem): [CrossEntropyParams, Batch] {
  const array = (values: Float64Array, shape: number[]) =>
    np.array(Float32Array.from(values), { shape });
  const { params, examples, inputs, hidden, classes } = p;
  return [
    {
      img_fc1: {
        kernel: array(params["img_fc1.kernel"], [inputs, hidden]),
        bias: array(params["img_fc1.bias"], [hidden]),
      },
      preds: {
        kernel: array(params["preds.kernel"], [hidden, classes]),
        bias: array(params["preds.bias"], [classes]),
      },
    },
    {
      x: array(p.x, [examples, inputs]),
      targets: np.array(p.targets.slice()),
      weights: array(p.weights, [examples]),
    },
  ];
}

function differentiate(p: Problem): [number, Record<Name, ArrayLike<number>>] {
  const [params, batch] = onDevice(p);
  const [loss, { img_fc1, preds }] = valueAndGrad(crossEntropyLoss)(params, batch);
  assert.deepEqual(img_fc1.kernel.shape, [p.inputs, p.hidden]);
  assert.deepEqual(preds.kernel.shape, [p.hidden, p.classes]);
  const gradients = {
    "img_fc1.kernel": img_fc1.kernel.dataSync(),
    "img_fc1.bias": img_fc1.bias.dataSync(),
    "preds.kernel": preds.kernel.dataSync(),
    "preds.bias": preds.bias.dataSync(),
  };
  return [loss.item(), gradients];
}

/** `|actual - expected| / |expected|`, in the Euclidean norm. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [error, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  assert.ok(size > 0, "there is no gradient to compare with");
  return Math.sqrt(error / size);
}

Deno.test("crossEntropyLoss() has the gradients of central differences", () => {
  const random = seededRandom(5);
  let worst = { error: 0, where: "" };
  for (const classes of [2, 6, 25]) {
    for (const weighted of [false, true]) {
      const p = problem(classes, weighted, random);
      // No ReLU changes sides within a difference: inputs reach 2, so a step moves a sum by 2e-5.
      for (let i = 0; i < p.examples; i++) {
        assert.ok(beforeRelu(p, i).every((v) => Math.abs(v) > 5 * STEP), "a kink is near");
      }
      const [loss, gradients] = differentiate(p);
      const expected = plainLoss(p);
      assert.ok(Math.abs(loss - expected) < 1e-5 * expected, `${loss} is not ${expected}`);
      for (const name of NAMES) {
        const error = relativeError(gradients[name], differences(p, name));
        const where = `${name}, ${classes} labels${weighted ? ", weighted" : ""}`;
        assert.ok(error < 1e-5, `${where}: relative error ${error}`);
        if (error > worst.error) worst = { error, where };
      }
    }
  }
  console.log(`largest relative error: ${worst.error.toExponential(1)} (${worst.where})`);
});

Deno.test("crossEntropyLoss() takes no part of an example of weight 0", () => {
  const p = problem(6, true, seededRandom(6));
  p.weights[3] = 0;
  const [loss, gradients] = differentiate(p);
  p.x.fill(0.75, 3 * p.inputs, 4 * p.inputs);
  const [otherLoss, others] = differentiate(p);
  assert.ok(loss > 0);
  assert.equal(otherLoss, loss);
  for (const name of NAMES) assert.deepEqual(others[name], gradients[name], name);
});

Deno.test("crossEntropyLoss() stays finite where an exponential would overflow", () => {
  const p = problem(6, false, seededRandom(7));
  p.params["preds.kernel"].forEach((v, i, kernel) => kernel[i] = Math.fround(v * 1e4));
  const [loss, gradients] = differentiate(p);
  assert.ok(loss > 1000 && Math.abs(loss / plainLoss(p) - 1) < 1e-5, String(loss));
  for (const name of NAMES) assert.ok(Array.from(gradients[name]).every(Number.isFinite), name);
});

Deno.test("crossEntropyLoss() is log K where the output layer is 0", () => {
  for (const classes of [2, 6, 25]) {
    const p = problem(classes, false, seededRandom(classes));
    p.params["preds.kernel"].fill(0);
    p.params["preds.bias"].fill(0);
    const [params, batch] = onDevice(p);
    const loss = crossEntropyLoss(tree.ref(params), batch).item();
    tree.dispose(params);
    assert.ok(Math.abs(loss - Math.log(classes)) < 1e-6, `${loss}`);
  }
});
